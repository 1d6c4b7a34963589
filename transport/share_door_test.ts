import { join } from "node:path";
import { SEGMENT_BYTES, shareAnswer, shareAsk, ShareStatus } from "../codec/share.ts";
import { systemRandom } from "../core/machine.ts";
import { nativeEngine } from "../crypto/native_engine.ts";
import { shareMac } from "../crypto/tokens.ts";
import { assert, assertEquals } from "../tests/_assert.ts";
import { bytesSource } from "./exposure/source.ts";
import { shareAddress, ShareSocket } from "./link/share_socket.ts";
import type { Exposed } from "./protocol/exposed.ts";
import { openShareDoor } from "./share_door.ts";
import type { ShareDoor } from "./share_door.ts";

/** Another user than root, by the number that is nobody's; who may read where Deno lies. */
const NOBODY = [
  ...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
  ...["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"],
];

const probe = ShareSocket.open(systemRandom(16));
probe?.close();
const noFfi = probe ? "" : "needs Linux and --allow-ffi";
const noNobody = noFfi || await whyNoNobody();

const [token, pullKey, exposureKey] = [systemRandom(104), systemRandom(32), systemRandom(32)];
const exposed = { id: new Uint8Array(32), exposureKey } as unknown as Exposed;
const other = { id: new Uint8Array(32).fill(1) } as unknown as Exposed;
const mac = (key: Uint8Array, sealing = exposureKey) => shareMac(nativeEngine, key, sealing);
const ask = (segment: number, key = pullKey) => shareAsk.encode({ token, segment }, mac(key));

function test(
  what: string,
  skipped: string,
  shared: "user" | "all",
  run: (door: ShareDoor) => Promise<void>,
): void {
  Deno.test({
    name: `share door: ${what}${skipped && ` [skipped: ${skipped}]`}`,
    ignore: skipped !== "",
    fn: async () => {
      const door = openShareDoor({ shared, memoryBytesMax: 2 * SEGMENT_BYTES }, {
        engine: nativeEngine,
        random: systemRandom,
        holding: (shown) => shown.every((byte, i) => byte === token[i]) ? { exposed, pullKey } : undefined,
      })!;
      door.add(exposed, bytesSource(new Uint8Array(3 * SEGMENT_BYTES + 1).fill(5)));
      door.add(other, bytesSource(new Uint8Array(3 * SEGMENT_BYTES).fill(6)));
      try {
        await run(door);
      } finally {
        door.close();
      }
    },
  });
}

test("gives what a token lets pull, and nothing that is not there", noFfi, "user", async (door) => {
  const socket = ShareSocket.open(systemRandom(16))!;
  const address = shareAddress(door.name);
  for (const [segment, status] of [[0, 0], [3, 0], [4, 2], [0xffffffff, 2], [0, 0]]) {
    assert(socket.send(address, ask(segment)));
    const heard = (await socket.receive())!;
    assertEquals(shareAnswer.decode(heard.bytes), { segment, status });
    const [covered, its] = shareAnswer.authenticated(heard.bytes);
    assertEquals(mac(pullKey)(covered).subarray(0, 8), its);
    assertEquals(heard.descriptor !== undefined, status === ShareStatus.GIVEN);
    if (heard.descriptor !== undefined) socket.closeDescriptor(heard.descriptor);
  }
  assertEquals(door.stats.bytesRead, SEGMENT_BYTES + 1);
  assertEquals(door.stats.bytesGiven, 2 * SEGMENT_BYTES + 1);
  // Whoever was granted the pull without the exposure's key, to pass on what he cannot read, reads nothing here either.
  const keyless = shareAsk.encode({ token, segment: 0 }, mac(pullKey, new Uint8Array(32)));
  for (
    const bytes of [keyless, ask(0, systemRandom(32)), new Uint8Array(ask(0).length), ask(0).subarray(1)]
  ) {
    assert(socket.send(address, bytes));
  }
  // What is answered comes in order: when this one is here, the others had none.
  assert(socket.send(address, ask(3)));
  const heard = (await socket.receive())!;
  assertEquals(shareAnswer.decode(heard.bytes)?.segment, 3);
  socket.closeDescriptor(heard.descriptor!);
  socket.close();
  assertEquals(door.stats.drops, { "wrong mac": 2, "bad token": 1, malformed: 1 });
});

test("descriptors that a stranger sends are closed", noFfi, "user", async (door) => {
  const socket = ShareSocket.open(systemRandom(16))!;
  const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const memory = socket.makeMemory(10, (_at, into) => into.fill(1));
  const before = count();
  for (let i = 0; i < 5; i++) assert(socket.send(shareAddress(door.name), new Uint8Array(1), memory));
  assert(socket.send(shareAddress(door.name), ask(9)));
  await socket.receive();
  assertEquals(count(), before);
  socket.closeDescriptor(memory);
  socket.close();
});

for (const [shared, status] of [["user", ShareStatus.OTHER_USER], ["all", ShareStatus.GIVEN]] as const) {
  test(`another user, where it is open for ${shared}`, noNobody, shared, async (door) => {
    const script = join(import.meta.dirname!, "_ask_door.ts");
    const folder = await Deno.makeTempDir();
    try {
      await Deno.chmod(folder, 0o777);
      const [command, ...args] = [...NOBODY, Deno.execPath(), "run", "-A", "--quiet", "--no-config", script];
      const { stdout, stderr } = await new Deno.Command(command, {
        args: [...args, door.name.toHex(), ask(1).toHex()],
        env: { DENO_DIR: folder, NO_COLOR: "1" },
      }).output();
      const said = new TextDecoder().decode(stdout) || new TextDecoder().decode(stderr);
      assertEquals(JSON.parse(said), { segment: 1, status, isMemory: status === ShareStatus.GIVEN });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
    assertEquals(door.stats.bytesGiven, status === ShareStatus.GIVEN ? SEGMENT_BYTES : 0);
  });
}

async function whyNoNobody(): Promise<string> {
  if (Deno.uid() !== 0) return "needs root";
  try {
    const [command, ...args] = [...NOBODY, Deno.execPath(), "--version"];
    const { success } = await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output();
    return success ? "" : "nobody may not run this Deno";
  } catch {
    return "needs setpriv";
  }
}
