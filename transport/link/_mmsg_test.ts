import { assertEquals } from "../../tests/_assert.ts";
import { CMSG_BYTES, decodeSegmentSize, encodeSegmentSize, Messages } from "./_mmsg.ts";

/** Where the structures would lie: above 2^32, as in user space, and not at a round number. */
const BASE = 0x7f12_3456_7890;

Deno.test("mmsghdr: each field lies where Linux has it on 64 bits", () => {
  const messages = new Messages(3, () => BASE);
  messages.setName(2, 0x7fff_0000_0001, 28);
  messages.setBuffer(2, 0x5555_ffff_fff0, 65_507);
  messages.setControl(2, 0x1_0000_0000, 24);
  assertEquals(messages.bytes.length, 3 * (64 + 16));
  const view = new DataView(messages.bytes.buffer);
  const at = 2 * 64;
  // include/linux/socket.h: struct user_msghdr, and struct mmsghdr around it.
  assertEquals(view.getBigUint64(at, true), 0x7fff_0000_0001n);
  assertEquals(view.getUint32(at + 8, true), 28);
  assertEquals(view.getBigUint64(at + 16, true), BigInt(BASE + 3 * 64 + 2 * 16));
  assertEquals(view.getBigUint64(at + 24, true), 1n);
  assertEquals(view.getBigUint64(at + 32, true), 0x1_0000_0000n);
  assertEquals(view.getBigUint64(at + 40, true), 24n);
  const iovec = 3 * 64 + 2 * 16;
  assertEquals(view.getBigUint64(iovec, true), 0x5555_ffff_fff0n);
  assertEquals(view.getBigUint64(iovec + 8, true), 65_507n);
});

Deno.test("mmsghdr: what the kernel writes is read, and room is made again", () => {
  const messages = new Messages(2, () => BASE);
  const view = new DataView(messages.bytes.buffer, 64);
  view.setUint32(8, 16, true);
  view.setBigUint64(40, 20n, true);
  view.setInt32(48, 0x20, true);
  view.setUint32(56, 1452, true);
  assertEquals([messages.nameBytes(1), messages.controlBytes(1)], [16, 20]);
  assertEquals([messages.flags(1), messages.length(1)], [0x20, 1452]);
  messages.resetRoom(1, 28, 24);
  assertEquals([view.getUint32(8, true), view.getBigUint64(40, true)], [28, 24n]);
  assertEquals(messages.length(0), 0);
});

/** Control messages as the kernel lays them out: length, level, type, and numbers of 32 bits. */
function control(...all: [level: number, type: number, ...data: number[]][]): Uint8Array {
  const bytes = new Uint8Array(
    all.reduce((sum, [, , ...data]) => sum + 16 + ((data.length * 4 + 7) & ~7), 0),
  );
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [level, type, ...data] of all) {
    view.setBigUint64(at, BigInt(16 + data.length * 4), true);
    view.setInt32(at + 8, level, true);
    view.setInt32(at + 12, type, true);
    data.forEach((number, i) => view.setInt32(at + 16 + i * 4, number, true));
    at += 16 + ((data.length * 4 + 7) & ~7);
  }
  return bytes;
}

Deno.test("cmsghdr: the size of segments is found, alone and behind another one", () => {
  const size: [number, number, number] = [17, 104, 1452];
  const table: [string, Uint8Array, number][] = [
    ["none", new Uint8Array(), 0],
    ["alone", control(size), 1452],
    ["as long as the kernel says, without padding", control(size).subarray(0, 20), 1452],
    ["behind one of 4 bytes", control([0, 1, 3], size), 1452],
    ["behind one of 12 bytes", control([1, 29, 1, 2, 3], size), 1452],
    ["of another level", control([0, 104, 1452]), 0],
    ["of another type", control([17, 103, 1452]), 0],
    ["negative", control([17, 104, -1]), 0],
    ["cut off", control(size).subarray(0, 19), 0],
    ["with a length of nothing", new Uint8Array(64), 0],
  ];
  for (const [name, bytes, expected] of table) {
    const around = new DataView(Uint8Array.of(...bytes, ...control([17, 104, 1])).buffer);
    assertEquals(decodeSegmentSize(around, 0, bytes.length), expected, name);
    const behind = new DataView(Uint8Array.of(...control([17, 104, 1]), ...bytes).buffer);
    assertEquals(
      decodeSegmentSize(behind, behind.byteLength - bytes.length, behind.byteLength),
      expected,
      name,
    );
  }
});

Deno.test("cmsghdr: the size of segments to send", () => {
  const bytes = new Uint8Array(CMSG_BYTES);
  encodeSegmentSize(bytes, 0x1234);
  const view = new DataView(bytes.buffer);
  assertEquals([view.getBigUint64(0, true), view.getInt32(8, true), view.getInt32(12, true)], [18n, 17, 103]);
  assertEquals([...bytes.subarray(16)], [0x34, 0x12, 0, 0, 0, 0, 0, 0]);
});
