/*
 * What indexes and manifests that lie make a puller take, each in a process of its own: prints how many bytes more it had at its peak than
 * before, and what it was told. Linux alone tells peaks.
 */
import { decodeCollectionIndex } from "../../codec/collection_index.ts";
import { ManifestKind } from "../../codec/manifest.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { messagePackArrayHead } from "../../codec/msgpack.ts";
import { concatBytes } from "../../core/bytes.ts";
import { limits } from "../../core/limits.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { FolderSink } from "../../transport/exposure/folder_sink.ts";
import { ChunkPlan } from "../../transport/protocol/chunk_plan.ts";

const head = (count: number) =>
  concatBytes(messagePackArrayHead(3), Uint8Array.of(1, 0xcd, 0x10, 0), messagePackArrayHead(count));
/** A byte of MessagePack and the largest length of 32 bits behind it. */
const lies = (byte: number) => concatBytes(head(1), Uint8Array.of(byte, 0xff, 0xff, 0xff, 0xff));

function take(): void {
  const chunks = limits.chunksMax;
  const manifest: Manifest = {
    version: 2,
    kind: ManifestKind.COLLECTION,
    aead: 0,
    hash: 0,
    chunkSize: 4096,
    totalSize: chunks * 4096,
    indexSize: 1,
    reserved: 0,
    keyCheck: new Uint8Array(32),
    root: new Uint8Array(32),
  };
  const sink = new FolderSink({
    out: `${Deno.args[1]}/out`,
    manifest,
    id: new Uint8Array(32),
    hash: nativeEngine.sha256,
  });
  const plan = new ChunkPlan({
    chunks,
    wanted: sink.wanted,
    candidates: (page) => sink.candidates(page),
    hasLeaves: () => false,
  });
  plan.want([{ first: chunks - 1, end: chunks }]);
  if (plan.finished) throw new Error("there is something to do");
  sink.close();
}

const cases: Readonly<Record<string, () => unknown>> = {
  "ten million entries": () => decodeCollectionIndex(head(10_000_000)),
  "as many entries as there may be, and none of them there": () =>
    decodeCollectionIndex(head(limits.collectionEntriesMax)),
  "four billion entries": () => decodeCollectionIndex(head(2 ** 32 - 1)),
  "a path of four gigabytes": () => decodeCollectionIndex(lies(0xdb)),
  "a hash of four gigabytes": () => decodeCollectionIndex(lies(0xc6)),
  "an entry of four billion values": () => decodeCollectionIndex(lies(0xdd)),
  "as many chunks as there may be": take,
};

function peak(): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1]) * 1024;
}

if (import.meta.main) {
  const before = peak();
  let told = "";
  try {
    cases[Deno.args[0]]();
  } catch (error) {
    told = error instanceof Error ? error.message : String(error);
  }
  console.log(JSON.stringify({ bytes: peak() - before, told }));
}

/** What there is to try. */
export const hostileCases: readonly string[] = Object.keys(cases);
