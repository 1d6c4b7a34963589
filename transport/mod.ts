/**
 * Exposes byte strings and pulls them: the public API, a shell around sans-IO machines.
 *
 * Promised: what a pull gives out is what was exposed, byte for byte, or an `RgtpError`; a pull that was cut off goes on from what is on
 * disk, verified again; an exposer's memory does not grow with the pullers that have come and gone. Not promised: that others on the way
 * cannot see that a transfer happens, or how large it is.
 *
 * @example
 * ```ts
 * import { expose, pull } from "@red-giant/rgtp/transport";
 *
 * await using exposure = await expose(new TextEncoder().encode("hello"), { host: "127.0.0.1", port: 0 });
 * const bytes = await pull(exposure.ticket).bytes();
 * if (new TextDecoder().decode(bytes) !== "hello") throw new Error("unexpected");
 * ```
 *
 * @module
 */
export type { ContactChoice } from "./addresses.ts";
export type { BindOptions } from "./bind.ts";
export * from "./edge.ts";
export * from "./expose.ts";
export { openExposer } from "./exposer.ts";
export type { Exposer, ExposerOptions, HostedOptions } from "./exposer.ts";
export * from "./find.ts";
export * from "./pull.ts";
export type { PulledRange } from "./pull_slices.ts";
export type { CastOptions } from "./group_cast.ts";
export type { RatePolicy } from "./protocol/group_rate.ts";
export type { AccessOptions, AccessRequest } from "./exposure/access.ts";
export type { ByteRun } from "./exposure/comparison.ts";
export type { EntryDifference, FolderComparison } from "./exposure/folder_comparison.ts";
export type { StoreCounters } from "./exposure/store.ts";
export type { ExposeSource } from "./exposure/open_source.ts";
export { EntryKind, FileMode } from "../codec/collection_index.ts";
export type { CollectionEntry, FileEntry, FolderEntry, LinkEntry } from "../codec/collection_index.ts";
export type { ListedExposure } from "./exposure/listing.ts";
export { discover } from "./discover.ts";
export type { DiscoverOptions, FoundExposure } from "./discover.ts";
export type { AnnouncedTo } from "./protocol/announcements.ts";
export { profiles } from "./exposure/profiles.ts";
export type { ProfileName } from "./exposure/profiles.ts";
export type {
  Datagrams,
  Link,
  LinkOptions,
  LinkStats,
  MulticastOptions,
  SplitDatagrams,
} from "./link/link.ts";
export { linkKinds, openLink, udpLinkKinds } from "./link/open_link.ts";
export type { LinkChoice, LinkKind, OpenLinkOptions } from "./link/open_link.ts";
export { memoryNetwork } from "./link/memory.ts";
export type { MemoryNetwork, MemoryNetworkOptions } from "./link/memory.ts";
export type { HandshakeChoice, HandshakeName, PostQuantum } from "./protocol/handshake_shape.ts";
export { trafficClassNames } from "./protocol/traffic_class.ts";
export type { TrafficClassName } from "./protocol/traffic_class.ts";
export type { ExposerMemory, HandshakeOutcome, PullerStatus } from "./protocol/exposer_types.ts";
export type { AeadName } from "../crypto/engine.ts";
export type { PullerProgress } from "./protocol/puller_types.ts";
