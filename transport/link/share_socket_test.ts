import { assert, assertEquals } from "../../tests/_assert.ts";
import { openWindow } from "./sealed_memory.ts";
import { shareAddress, ShareSocket } from "./share_socket.ts";

const name = (byte: number) => crypto.getRandomValues(new Uint8Array(16)).fill(byte, 0, 1);
const first = ShareSocket.open(name(0));
first?.close();
const test = (what: string, run: () => Promise<void>) =>
  Deno.test({
    name: `share socket (${first ? "" : "skipped: needs Linux and --allow-ffi"}): ${what}`,
    ignore: !first,
    fn: run,
  });

test("a datagram comes with who has sent it, and can be answered", async () => {
  const [door, asker] = [name(1), name(2)];
  const [one, other] = [ShareSocket.open(door)!, ShareSocket.open(asker)!];
  assert(other.send(shareAddress(door), Uint8Array.of(1, 2, 3)));
  const heard = await one.receive();
  assertEquals(heard?.bytes, Uint8Array.of(1, 2, 3));
  assertEquals(heard?.from, shareAddress(asker));
  assertEquals(heard?.user, one.user);
  assertEquals(heard?.descriptor, undefined);
  assert(one.send(heard!.from, new Uint8Array(0)));
  assertEquals((await other.receive())?.bytes, new Uint8Array(0));
  one.close();
  other.close();
});

test("memory goes from hand to hand", async () => {
  const door = name(3);
  const [one, other] = [ShareSocket.open(door)!, ShareSocket.open(name(4))!];
  const memory = other.makeMemory(100_000, (at, into) => into.fill(at === 0 ? 7 : 8));
  assert(other.send(shareAddress(door), new Uint8Array(1), memory));
  other.closeDescriptor(memory);
  other.close();
  const { descriptor } = (await one.receive())!;
  const [shorter, window] = [openWindow(99_999)!, openWindow(100_000)!];
  assertEquals(one.map(descriptor!, shorter), false);
  assert(one.map(descriptor!, window));
  one.closeDescriptor(descriptor!);
  one.close();
  assert(window.every((byte) => byte === 7));
});

test("what is cut off is left out, and its descriptor closed", async () => {
  const door = name(5);
  const [one, other] = [ShareSocket.open(door)!, ShareSocket.open(name(6))!];
  const memory = other.makeMemory(1, (_at, into) => into.fill(1));
  const long = new Uint8Array(512);
  assert(other.send(shareAddress(door), long, memory));
  assertEquals((await one.receive())?.bytes.length, 512);
  one.close();
  other.closeDescriptor(memory);
  other.close();
});

test("nobody is there; a name that is taken; closed sockets", async () => {
  const [door, nobody] = [name(7), name(8)];
  const one = ShareSocket.open(door)!;
  assertEquals(one.send(shareAddress(nobody), new Uint8Array(1)), false);
  assertEquals(ShareSocket.open(door), undefined);
  const waiting = one.receive();
  one.close();
  one.close();
  assertEquals(await waiting, undefined);
  assertEquals(one.send(shareAddress(door), new Uint8Array(1)), false);
  // The name is gone with it.
  ShareSocket.open(door)!.close();
});

test("a socket that does not read does not hold up who sends", () => {
  const door = name(9);
  const [one, other] = [ShareSocket.open(door)!, ShareSocket.open(name(10))!];
  let sent = 0;
  while (sent < 100_000 && other.send(shareAddress(door), new Uint8Array(100))) sent++;
  assert(sent > 0 && sent < 100_000);
  one.close();
  other.close();
  return Promise.resolve();
});
