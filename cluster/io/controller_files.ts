import { limits } from "../../core/limits.ts";
import { rnpError } from "../protocol/errors.ts";
import { contentsOf, fileFault, fileIdOf, planCopies, rendezvous } from "../protocol/files.ts";
import type { FileRecord } from "../protocol/files.ts";
import type { ListedFile, MessageData } from "../protocol/message_data.ts";
import { free } from "../protocol/resources.ts";
import { allPages, ask, isHere, nodesHere, placesOf } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";
import { transferMs } from "./file_sender.ts";
import { messageOf } from "./handlers.ts";
import { inParallel } from "./in_parallel.ts";

/** Copies that are made at once. */
const COPIES_MAX = 4;
const MIB = 1_048_576;

/** Says who shall keep a file. Fewer than are wanted when there are no more nodes: the rest follows when they come. @throws {RgtpError} */
export async function placeFile(
  fleet: Fleet,
  { path, size, checksum, replication_factor }: MessageData["fs.write"],
): Promise<MessageData["fs.placed"]> {
  refuseFaulty({ path, checksum, replication_factor });
  const now = Date.now();
  const roomy = (await nodesHere(fleet))
    .filter((record) => !record.leaving && free(record, now).disk_mb * MIB >= size);
  const file_id = fileIdOf(checksum)!;
  const chosen = rendezvous(file_id, roomy.map(({ node }) => node), replication_factor);
  const nodes = placesOf(fleet, chosen);
  if (nodes.length === 0) {
    throw rnpError({ code: "RESOURCE_EXHAUSTED", message: `no node has room for ${size} bytes` });
  }
  return { file_id, nodes };
}

/** Nodes keep a file: from now on it is there. */
export async function commitFile(
  fleet: Fleet,
  { path, size, checksum, replication_factor, nodes }: MessageData["fs.commit"],
): Promise<MessageData["fs.stored"]> {
  refuseFaulty({ path, checksum, replication_factor });
  const stranger = nodes.find((node) => !isHere(fleet, node));
  if (nodes.length === 0 || stranger !== undefined) {
    const message = stranger === undefined
      ? `nobody keeps '${path}'`
      : `'${stranger}' is to keep '${path}', and does not take part`;
    throw rnpError({ code: "NOT_FOUND", message });
  }
  await fleet.tables.files.change([path], () => ({ path, size, checksum, replication_factor, nodes }));
  if (nodes.length < replication_factor) fleet.stir();
  return { file_id: fileIdOf(checksum)!, complete: true };
}

/** Says who keeps a file. @throws {RgtpError} NOT_FOUND */
export async function locateFile(
  fleet: Fleet,
  { path }: MessageData["fs.locate"],
): Promise<MessageData["fs.located"]> {
  const record = await fleet.tables.files.get(path);
  if (!record) throw rnpError({ code: "NOT_FOUND", message: `there is no file '${path}'` });
  const { size, checksum } = record;
  const nodes = placesOf(fleet, record.nodes.filter((node) => isHere(fleet, node)));
  if (nodes.length > 0) return { path, size, checksum, nodes };
  const message = `none of those that keep '${path}' takes part now: ${record.nodes.join(", ")}`;
  throw rnpError({ code: "RESOURCE_EXHAUSTED", message });
}

function refuseFaulty(file: Pick<FileRecord, "path" | "checksum" | "replication_factor">): void {
  const fault = fileFault(file);
  if (fault !== undefined) throw rnpError({ code: "PROTOCOL_ERROR", message: fault });
  if (file.replication_factor > limits.fleetCopiesMax) {
    const message = `${file.replication_factor} copies: ${limits.fleetCopiesMax} are the most`;
    throw rnpError({ code: "QUOTA_EXCEEDED", message });
  }
}

/** Makes the copies that are missing, and drops those that are too many. */
export async function repairFiles(fleet: Fleet): Promise<void> {
  const records = await fleet.tables.files.all();
  const here = await nodesHere(fleet);
  const alive = here.map(({ node }) => node);
  const staying = here.filter(({ leaving }) => !leaving).map(({ node }) => node);
  const sizes = new Map(records.map(({ checksum, size }) => [fileIdOf(checksum)!, size]));
  const work = contentsOf(records).flatMap((content) => {
    const holders = Array.from(content.holders);
    const gone = holders.filter((node) => fleet.isGone(node));
    // Whoever is not here, and not surely gone, counts as one that keeps what it had.
    const unsure = holders.filter((node) => !alive.includes(node) && !gone.includes(node));
    const { copies, drops } = planCopies(content, content.holders, alive, [...staying, ...unsure]);
    const { fileId } = content;
    return [
      ...gone.map((forget) => ({ fileId, forget })),
      ...copies.map((copy) => ({ fileId, copy })),
      ...(unsure.length > 0 ? [] : drops).map((drop) => ({ fileId, drop })),
    ];
  });
  await inParallel(work, COPIES_MAX, async (one) => {
    try {
      // Should it come back, it is asked what it keeps.
      if ("forget" in one) await setHolder(fleet, one.fileId, one.forget, false);
      else if ("drop" in one) await dropCopy(fleet, one.fileId, one.drop);
      else await makeCopy(fleet, one.fileId, sizes.get(one.fileId)!, one.copy);
    } catch (error) {
      fleet.node.note(`file ${one.fileId}: ${messageOf(error)}`);
    }
  });
}

async function makeCopy(
  fleet: Fleet,
  file_id: string,
  size: number,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const address = fleet.member(to)?.address;
  try {
    await ask(fleet.node, from, "fs.copy", { file_id, to, address }, "fs.stored", transferMs(size));
  } catch (error) {
    // What it does not keep it cannot send: another one is asked the next time.
    if ((error as { readonly condition?: string }).condition === "NOT_FOUND") {
      await setHolder(fleet, file_id, from, false);
    }
    throw error;
  }
  await setHolder(fleet, file_id, to, true);
}

async function dropCopy(fleet: Fleet, file_id: string, node: string): Promise<void> {
  // First: nobody shall be sent to a node for what it is about to drop.
  await setHolder(fleet, file_id, node, false);
  await ask(fleet.node, node, "fs.drop", { file_id, known: true }, "fs.stored");
}

/** Whether a node keeps a content, for all files that have it. */
async function setHolder({ tables }: Fleet, fileId: string, node: string, keeps: boolean): Promise<void> {
  for (const { path, checksum } of await tables.files.all()) {
    if (fileIdOf(checksum) !== fileId) continue;
    await tables.files.change([path], (record) => {
      if (record?.checksum !== checksum || record.nodes.includes(node) === keeps) return record;
      const others = record.nodes.filter((one) => one !== node);
      return { ...record, nodes: keeps ? [...others, node] : others };
    });
  }
}

/** Holds what a node keeps against what is known. It drops what belongs to no file, unless that has come just now. */
export async function inspectFiles(fleet: Fleet, node: string): Promise<void> {
  const before = await fleet.tables.files.all();
  const listed = await allPages<ListedFile>(
    async (after) => {
      const { files, more } = await ask(fleet.node, node, "fs.list", { after }, "fs.listing");
      return { rows: files, more };
    },
    ({ path }) => path,
  );
  const kept = new Set(listed.map(({ path }) => path));
  const isMissing = ({ nodes, checksum }: FileRecord) =>
    nodes.includes(node) && !kept.has(fileIdOf(checksum)!);
  const missing = new Set(before.filter(isMissing).map(({ path }) => path));
  const after = await fleet.tables.files.all();
  for (const record of after.filter(isMissing)) {
    if (missing.has(record.path)) await setHolder(fleet, fileIdOf(record.checksum)!, node, false);
  }
  const known = new Set(after.map(({ checksum }) => fileIdOf(checksum)));
  for (const file_id of kept) {
    if (known.has(file_id)) await setHolder(fleet, file_id, node, true);
    else await ask(fleet.node, node, "fs.drop", { file_id }, "fs.stored");
  }
}

/** Brings what a node keeps to others. @throws {RgtpError} RESOURCE_EXHAUSTED when something would be lost with it */
export async function moveFiles(fleet: Fleet, node: string): Promise<void> {
  await repairFiles(fleet);
  const lost = (await fleet.tables.files.all()).filter(({ nodes }) =>
    nodes.includes(node) && !nodes.some((other) => other !== node && isHere(fleet, other))
  );
  if (lost.length === 0) return;
  throw rnpError({
    code: "RESOURCE_EXHAUSTED",
    message: `'${node}' alone keeps ${lost.length} files, '${
      lost[0].path
    }' among them, and no other node has room`,
  });
}
