import { concatBytes } from "../../core/bytes.ts";
import { encodeFrameHead } from "../../codec/ethernet_frame.ts";
import { assertEquals, assertThrows } from "../../tests/_assert.ts";
import { filterProgram } from "./_frame_filter.ts";
import { runBpf } from "./_run_bpf.ts";

const own = Uint8Array.of(2, 0, 0x5e, 0x10, 0, 1);
const other = Uint8Array.of(2, 0, 0x5e, 0x10, 0, 2);
const group = Uint8Array.of(0x33, 0x33, 0, 0, 0, 7);
const everybody = new Uint8Array(6).fill(255);
const PORT = 9000;

/** What the kernel knows of a frame beside its bytes. */
interface Facts {
  /** 0 to this machine, 1 to all, 2 to a group, 3 to another one, 4 from here. */
  readonly kind?: number;
  /** The tag that the kernel has taken off. */
  readonly tag?: number;
}

function frameTo(destination: Uint8Array, destinationPort = PORT): Uint8Array {
  const head = encodeFrameHead({
    destination,
    source: other,
    destinationPort,
    sourcePort: 1,
    payloadBytes: 40,
  });
  return concatBytes(head, new Uint8Array(40));
}

function passes(program: Uint8Array<ArrayBuffer>, frame: Uint8Array, facts: Facts = {}): boolean {
  const { kind = 0, tag } = facts;
  return runBpf(program, frame, { 4: kind, 44: tag ?? 0, 48: tag === undefined ? 0 : 1 }) > 0;
}

Deno.test("frame filter: what is for this link passes, and nothing else", () => {
  const program = filterProgram({ port: PORT, destinations: [own, everybody, group] });
  assertEquals(passes(program, frameTo(own)), true);
  assertEquals(passes(program, frameTo(everybody), { kind: 1 }), true);
  assertEquals(passes(program, frameTo(group), { kind: 2 }), true);
  // To another machine's card, or another one of this machine's.
  assertEquals(passes(program, frameTo(other)), false);
  assertEquals(passes(program, frameTo(own), { kind: 3 }), false);
  assertEquals(passes(program, frameTo(own), { kind: 4 }), false);
  assertEquals(passes(program, frameTo(own, PORT + 1)), false);
  for (const at of [0, 5, 12, 13, 14, 15, 16, 17]) {
    const foreign = frameTo(own);
    foreign[at] ^= 0x10;
    assertEquals(passes(program, foreign), false, `byte ${at}`);
  }
  for (let length = 0; length < 18; length++) {
    assertEquals(passes(program, frameTo(own).subarray(0, length)), false);
  }
});

Deno.test("frame filter: a link in a VLAN gets that one's frames, whatever their priority", () => {
  const program = filterProgram({ port: PORT, destinations: [own], vlan: 100 });
  assertEquals(passes(program, frameTo(own)), false);
  for (const priority of [0, 5, 7]) {
    assertEquals(passes(program, frameTo(own), { tag: priority << 13 | 100 }), true);
    assertEquals(passes(program, frameTo(own), { tag: priority << 13 | 101 }), false);
  }
});

Deno.test("frame filter: as many groups as a link may join fit its jumps", () => {
  const groups = Array.from({ length: 60 }, (_, i) => Uint8Array.of(1, 0, 0x5e, 0, 0, i));
  const program = filterProgram({ port: PORT, destinations: groups });
  for (const one of groups) assertEquals(passes(program, frameTo(one), { kind: 2 }), true);
  assertEquals(passes(program, frameTo(own)), false);
  assertThrows(() => filterProgram({ port: PORT, destinations: [...groups, own] }), RangeError, "60");
});
