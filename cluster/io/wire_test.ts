import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { concatBytes } from "../../core/bytes.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { assert, assertEquals } from "../../tests/_assert.ts";
import { Wire } from "./wire.ts";

/** A connection that writes when it is told to. */
class SlowSocket extends Duplex {
  readonly pieces: Uint8Array[] = [];
  #done: (() => void) | undefined;

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    assert(this.#done === undefined, "two writes at once");
    this.pieces.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    this.#done = done;
  }

  setNoDelay(): this {
    return this;
  }

  /** What is being written is written. Whether there was something. */
  async write1(): Promise<boolean> {
    const done = this.#done;
    this.#done = undefined;
    done?.();
    await new Promise((resolve) => setTimeout(resolve));
    return done !== undefined;
  }
}

function wired(): { wire: Wire; socket: SlowSocket; written: number[]; arrived: Uint8Array[] } {
  const socket = new SlowSocket();
  const written: number[] = [];
  const arrived: Uint8Array[] = [];
  const expires = Date.now() + 60_000;
  const wire = new Wire({ socket: socket as unknown as TLSSocket, peerId: "node-b", expires }, {
    onBytes: (bytes) => arrived.push(bytes),
    onWritten: (bytes) => written.push(bytes),
    onClosed: () => {},
  });
  return { wire, socket, written, arrived };
}

Deno.test("wire: small frames go together, and wait while others are written", async () => {
  const { wire, socket, written } = wired();
  for (let i = 0; i < 3; i++) wire.write(new Uint8Array(100).fill(i));
  assertEquals(socket.pieces.length, 0);
  wire.flush();
  assertEquals(socket.pieces.map(({ length }) => length), [300]);
  for (let i = 0; i < 5; i++) wire.write(new Uint8Array(10).fill(i));
  wire.flush();
  assertEquals([socket.pieces.length, written], [1, []]);
  await socket.write1();
  assertEquals([socket.pieces.length, written], [2, [300]]);
  assertEquals(socket.pieces[1].length, 50);
  wire.destroy();
});

Deno.test("wire: of a large frame nothing is copied but what goes with others", async () => {
  const { wire, socket } = wired();
  const large = new Uint8Array(1_000_000);
  wire.write(new Uint8Array(200));
  wire.write(large);
  while (await socket.write1());
  const shared = socket.pieces.filter(({ buffer }) => buffer === large.buffer);
  assertEquals(socket.pieces.reduce((sum, { length }) => sum + length, 0), 1_000_200);
  assertEquals(socket.pieces.length - shared.length, 1);
  wire.destroy();
});

Deno.test("wire: what is written is what was given, in pieces of a bounded size, and all of it is told of", async () => {
  const random = seededRandom(7, "wire");
  const { wire, socket, written } = wired();
  const frames: Uint8Array[] = [];
  for (let i = 0; i < 300; i++) {
    const frame = random.bytes(random.integer(10) === 0 ? random.integer(150_000) : random.integer(300));
    frames.push(frame);
    wire.write(frame);
    if (random.integer(4) === 0) wire.flush();
    if (random.integer(8) === 0) await socket.write1();
  }
  wire.flush();
  while (await socket.write1());
  const whole = concatBytes(...frames);
  assertEquals(concatBytes(...socket.pieces).toHex() === whole.toHex(), true);
  assert(socket.pieces.every(({ length }) => length <= 49_152));
  assertEquals(written.reduce((sum, bytes) => sum + bytes, 0), whole.length);
  wire.destroy();
});

Deno.test("wire: it ends when all is written, and not before", async () => {
  const { wire, socket } = wired();
  let isFinished = false;
  socket.on("finish", () => isFinished = true);
  wire.write(new Uint8Array(100_000));
  wire.end();
  wire.end();
  assertEquals(isFinished, false);
  while (await socket.write1());
  assertEquals([isFinished, socket.pieces.length], [true, 3]);
  wire.destroy();
});

Deno.test("wire: it is not read while an application has too much to do", () => {
  const { wire, socket } = wired();
  wire.delivered(1_000_000);
  assertEquals(socket.isPaused(), false);
  wire.delivered(100_000);
  assertEquals(socket.isPaused(), true);
  wire.handled(1_000_000);
  assertEquals(socket.isPaused(), true);
  wire.handled(100_000);
  assertEquals(socket.isPaused(), false);
  wire.destroy();
});
