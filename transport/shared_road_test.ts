import { encodeManifest } from "../codec/manifest.ts";
import type { Grant } from "../codec/grant.ts";
import type { Manifest } from "../codec/manifest.ts";
import { SEGMENT_BYTES, shareAnswer, shareAsk, ShareStatus } from "../codec/share.ts";
import { systemRandom } from "../core/machine.ts";
import { nativeEngine } from "../crypto/native_engine.ts";
import { shareMac } from "../crypto/tokens.ts";
import { assert, assertEquals } from "../tests/_assert.ts";
import { doorsOf } from "../tests/_doors.ts";
import { openWindow } from "./link/sealed_memory.ts";
import { shareAddress, ShareSocket } from "./link/share_socket.ts";
import { SharedRoad } from "./shared_road.ts";

const probe = ShareSocket.open(systemRandom(16));
probe?.close();
const why = probe ? "" : " (skipped: needs Linux and --allow-ffi)";

const CHUNK = 65_536;
const SEGMENTS = 6;
const manifest: Manifest = {
  version: 2,
  kind: 0,
  aead: 0,
  hash: 0,
  chunkSize: CHUNK,
  totalSize: SEGMENTS * SEGMENT_BYTES - 5,
  indexSize: 0,
  reserved: 0,
  keyCheck: new Uint8Array(32),
  root: new Uint8Array(32),
};
const [pullKey, exposureKey] = [systemRandom(32), systemRandom(32)];
const CHUNKS_PER_SEGMENT = SEGMENT_BYTES / CHUNK;

/** What a door answers: a status, bytes of memory filled with the segment's number, a key; or nothing at all. */
interface Answer {
  readonly status: number;
  readonly bytes?: number;
  readonly key?: Uint8Array;
  readonly segment?: number;
}

const honest = (segment: number): Answer => ({
  status: ShareStatus.GIVEN,
  bytes: Math.min(SEGMENT_BYTES, manifest.totalSize - segment * SEGMENT_BYTES),
});

/** A road to a door that answers as it is told to. */
async function road(
  answer: (segment: number) => Answer | undefined,
  use: (road: SharedRoad, asked: number[]) => Promise<void> | void,
  { window, end = SEGMENTS * CHUNKS_PER_SEGMENT }: { window?: Uint8Array<ArrayBuffer>; end?: number } = {},
): Promise<void> {
  const share = systemRandom(16);
  const door = ShareSocket.open(share)!;
  const asked: number[] = [];
  const serving = (async () => {
    for (let heard = await door.receive(); heard; heard = await door.receive()) {
      const ask = shareAsk.decode(heard.bytes);
      if (!ask) continue;
      const [covered, mac] = shareAsk.authenticated(heard.bytes);
      assertEquals(shareMac(nativeEngine, pullKey, exposureKey)(covered).subarray(0, 8), mac);
      asked.push(ask.segment);
      const said = answer(ask.segment);
      if (!said) continue;
      const { segment = ask.segment, status, bytes, key = pullKey } = said;
      const memory = bytes === undefined
        ? undefined
        : door.makeMemory(bytes, (_at, into) => into.fill(ask.segment));
      const reply = shareAnswer.encode({ segment, status }, shareMac(nativeEngine, key, exposureKey));
      door.send(heard.from, reply, memory);
      if (memory !== undefined) door.closeDescriptor(memory);
    }
  })();
  const grant = { share, token: systemRandom(104), pullKey, exposureKey, manifest: encodeManifest(manifest) };
  const opened = SharedRoad.open({
    engine: nativeEngine,
    random: systemRandom,
    grant: () => grant as unknown as Grant,
    manifest,
    first: 0,
    end,
    ...(window && { window }),
  })!;
  try {
    await opened.ready(0);
    await use(opened, asked);
  } finally {
    opened.close();
    door.close();
    await serving;
  }
}

const test = (what: string, run: () => Promise<void> | void) =>
  Deno.test({ name: `shared road${why}: ${what}`, ignore: !probe, fn: run });

test("segment after segment, in the room of a few, the next one asked for ahead", () =>
  road(honest, async (road, asked) => {
    for (let chunk = 0; chunk < SEGMENTS * CHUNKS_PER_SEGMENT; chunk++) {
      if (chunk > 0) await road.ready(chunk);
      const bytes = road.take(chunk)!;
      const isLast = chunk === SEGMENTS * CHUNKS_PER_SEGMENT - 1;
      assertEquals(bytes.length, isLast ? CHUNK - 5 : CHUNK);
      assert(bytes.every((byte) => byte === Math.floor(chunk / CHUNKS_PER_SEGMENT)), `${chunk}`);
      road.giveBack(chunk);
    }
    assertEquals(asked, [0, 1, 2, 3, 4, 5]);
  }));

test("what is taken stays until it is given back; what has no room meanwhile waits", () =>
  road(honest, async (road) => {
    const held = road.take(0)!;
    for (const segment of [1, 2, 3, 5]) {
      const chunk = segment * CHUNKS_PER_SEGMENT;
      await road.ready(chunk);
      assertEquals(road.take(chunk)?.[0], segment);
      road.giveBack(chunk);
    }
    const late = 4 * CHUNKS_PER_SEGMENT;
    let isReady = false;
    const waiting = road.ready(late)!.then(() => isReady = true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assertEquals([isReady, held[CHUNK - 1]], [false, 0]);
    road.giveBack(0);
    await waiting;
    assertEquals(road.take(late)?.[0], 4);
  }));

test("what is about to be taken keeps its room, and gives it away when it is not taken after all", () =>
  road(honest, async (road) => {
    // Chunk 0 is ready; another one of its segment waits for its turn while chunks of later segments come and go.
    await road.ready(1);
    road.giveBack(0);
    for (const segment of [1, 2, 3]) {
      await road.ready(segment * CHUNKS_PER_SEGMENT);
      road.giveBack(segment * CHUNKS_PER_SEGMENT);
    }
    let isReady = false;
    const waiting = road.ready(4 * CHUNKS_PER_SEGMENT)!.then(() => isReady = true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assertEquals([isReady, road.take(1)?.[0]], [false, 0]);
    road.giveBack(1);
    await waiting;
    assertEquals(road.take(4 * CHUNKS_PER_SEGMENT)?.[0], 4);
  }));

test("the next one is asked for only where more is wanted", () =>
  road(honest, async (road, asked) => {
    assertEquals([road.take(0)?.[0], asked], [0, [0]]);
    await road.ready(CHUNKS_PER_SEGMENT);
    assertEquals(asked, [0, 1]);
  }, { end: CHUNKS_PER_SEGMENT }));

test("two chunks of one segment wait for it together", () =>
  road(honest, async (road) => {
    const chunks = [CHUNKS_PER_SEGMENT * 2, CHUNKS_PER_SEGMENT * 2 + 1];
    await Promise.all(chunks.map((chunk) => road.ready(chunk)));
    assertEquals(chunks.map((chunk) => road.take(chunk)?.[0]), [2, 2]);
  }));

test("a window for all shows all, and keeps it when the road is closed", async () => {
  const window = openWindow(manifest.totalSize)!;
  await road(honest, async (road) => {
    for (let chunk = 0; chunk < SEGMENTS * CHUNKS_PER_SEGMENT; chunk += CHUNKS_PER_SEGMENT) {
      await road.ready(chunk);
      assertEquals(road.take(chunk)?.byteOffset, chunk * CHUNK);
    }
  }, { window });
  for (let at = 0; at < window.length; at += 4096) assertEquals(window[at], Math.floor(at / SEGMENT_BYTES));
});

const none: readonly [string, (segment: number) => Answer | undefined][] = [
  ["shuts out this user", () => ({ status: ShareStatus.OTHER_USER })],
  ["has no memory", () => ({ status: ShareStatus.NOT_AVAILABLE })],
  ["gives memory, and says that it gives none", (at) => ({ ...honest(at), status: 77 })],
  ["gives nothing, and says that it does", () => ({ status: ShareStatus.GIVEN })],
  ["gives memory that is shorter than it should be", () => ({ ...honest(0), bytes: SEGMENT_BYTES - 1 })],
  ["gives memory that is longer", () => ({ ...honest(0), bytes: SEGMENT_BYTES + 1 })],
  ["does not know the pull key", (at) => ({ ...honest(at), key: new Uint8Array(32) })],
  ["answers for another segment than was asked for", (at) => ({ ...honest(at), segment: at + 3 })],
  ["does not answer", () => undefined],
];
for (const [what, answer] of none) {
  test(`a door that ${what} is none`, () =>
    road(answer, (road) => assertEquals([road.isOpen, road.take(0)], [false, undefined])));
}

test("a door that closes half-way: the rest goes the other road, and what was taken stays", () =>
  road((segment) => segment < 2 ? honest(segment) : { status: ShareStatus.NOT_AVAILABLE }, async (road) => {
    const held = road.take(0)!;
    const late = 3 * CHUNKS_PER_SEGMENT;
    await road.ready(late);
    assertEquals(road.take(late), undefined);
    assertEquals(road.ready(late), undefined);
    assertEquals(held[5], 0);
    road.giveBack(0);
  }));

test("a door that is not on this machine is known at once", () => {
  const grant = {
    share: systemRandom(16),
    token: systemRandom(104),
    pullKey,
    exposureKey,
  } as unknown as Grant;
  const options = { engine: nativeEngine, random: systemRandom, manifest, first: 0, end: 1 };
  assertEquals(SharedRoad.open({ ...options, grant: () => grant }), undefined);
  assertEquals(
    SharedRoad.open({ ...options, grant: () => ({ ...grant, share: undefined }) as never }),
    undefined,
  );
});

test("what a stranger sends to a puller's socket is nothing", () =>
  road(honest, async (road) => {
    const stranger = ShareSocket.open(systemRandom(16))!;
    const names = (await doorsOf(Deno.pid)).map((name) =>
      Uint8Array.fromBase64(name, { alphabet: "base64url" })
    );
    assert(names.length >= 2);
    const memory = stranger.makeMemory(SEGMENT_BYTES, (_at, into) => into.fill(99));
    const lie = shareAnswer.encode({ segment: 1, status: 0 }, () => new Uint8Array(8));
    for (const name of names) stranger.send(shareAddress(name), lie, memory);
    stranger.closeDescriptor(memory);
    stranger.close();
    await road.ready(CHUNKS_PER_SEGMENT);
    assertEquals(road.take(CHUNKS_PER_SEGMENT)?.[0], 1);
  }));
