import { SEGMENT_BYTES, shareAnswer, shareAsk, ShareStatus } from "../codec/share.ts";
import type { ShareAnswer } from "../codec/share.ts";
import { equalBytes } from "../core/bytes.ts";
import { limits } from "../core/limits.ts";
import type { Random } from "../core/machine.ts";
import type { Engine } from "../crypto/engine.ts";
import { shareMac } from "../crypto/tokens.ts";
import type { ExposeOptions } from "./expose.ts";
import type { ByteSource } from "./exposure/source.ts";
import { ShareSocket } from "./link/share_socket.ts";
import type { ShareDatagram } from "./link/share_socket.ts";
import type { Exposed } from "./protocol/exposed.ts";
import { DropCounter } from "./protocol/drops.ts";

/** What an exposer's door to shared memory has done so far. */
export interface ShareStats {
  /** Bytes that pullers were handed as memory. */
  readonly bytesGiven: number;
  /** Bytes that were copied from a source for that: of a file by the system, which keeps it anyway. */
  readonly bytesRead: number;
  /** Bytes of memory that are kept for others to come. */
  readonly memoryBytes: number;
  /** Asks that were not answered, by reason. */
  readonly drops: Readonly<Record<string, number>>;
}

/** What a door needs of its exposer. */
export interface ShareDoorParts {
  readonly engine: Engine;
  readonly random: Random;
  /** What a token lets pull, now. */
  readonly holding: (token: Uint8Array) => { exposed: Exposed; pullKey: Uint8Array } | undefined;
}

interface ShareDoorOptions extends ShareDoorParts {
  /** Whether other users of this machine than the exposer's own may be let in; they need a grant all the same. */
  readonly isForAllUsers: boolean;
  /** Memory that is kept for pullers to come, at most; in any case one segment. */
  readonly memoryBytesMax: number;
}

/** A door, unless the options of an exposure say something of the network, or there can be none here. */
export function openShareDoor(
  { shared, link, multicast, limitRate, pullRateMax, memoryBytesMax = 0 }: ShareChoice,
  parts: ShareDoorParts,
): ShareDoor | undefined {
  const whom = shared ?? ((link ?? multicast ?? limitRate ?? pullRateMax) === undefined ? "user" : "off");
  return whom === "off"
    ? undefined
    : ShareDoor.open({ ...parts, isForAllUsers: whom === "all", memoryBytesMax });
}

type ShareChoice = Pick<
  ExposeOptions,
  "shared" | "link" | "multicast" | "limitRate" | "pullRateMax" | "memoryBytesMax"
>;

/**
 * Hands what is exposed to pullers on the same machine, as memory that nobody can change any more: a source is read once, and how many
 * there are to have it makes no difference. Whoever asks shows the token of a grant, so nobody gets here what he cannot pull.
 */
export class ShareDoor {
  /** 16 random bytes, for grants. */
  readonly name: Uint8Array;
  readonly #options: ShareDoorOptions;
  readonly #socket: ShareSocket;
  readonly #sources = new Map<Exposed, ByteSource>();
  /** Descriptors of files that are exposed: whose memory need not be read first. */
  readonly #files = new Map<ByteSource, number>();
  /** Descriptors of segments, by exposure and number: those that were asked for last come last. */
  readonly #memory = new Map<string, { descriptor: number; bytes: number }>();
  #memoryBytes = 0;
  #bytesGiven = 0;
  #bytesRead = 0;
  readonly #drops = new DropCounter();
  #idle: ReturnType<typeof setTimeout> | undefined;

  /** `undefined` where there can be none. */
  static open(options: ShareDoorOptions): ShareDoor | undefined {
    const name = options.random(16);
    const socket = ShareSocket.open(name);
    return socket && new ShareDoor(name, socket, options);
  }

  private constructor(name: Uint8Array, socket: ShareSocket, options: ShareDoorOptions) {
    this.name = name;
    this.#socket = socket;
    this.#options = options;
    this.#run();
  }

  /** What it has done so far. */
  get stats(): ShareStats {
    return {
      bytesGiven: this.#bytesGiven,
      bytesRead: this.#bytesRead,
      memoryBytes: this.#memoryBytes,
      drops: this.#drops.all(),
    };
  }

  /** Hands out the bytes of an exposure too; the source is this one's to close from now on. */
  add(exposed: Exposed, source: ByteSource): void {
    this.#sources.set(exposed, source);
    const { fingerprint, collection } = source;
    const file = collection || !fingerprint ? undefined : this.#socket.openFile(fingerprint);
    if (file !== undefined) this.#files.set(source, file);
  }

  /** Lets nobody in any more; what pullers have stays theirs. Twice is fine. */
  close(): void {
    clearTimeout(this.#idle);
    this.#makeRoom(Infinity);
    for (const file of this.#files.values()) this.#socket.closeDescriptor(file);
    this.#files.clear();
    this.#socket.close();
    for (const source of this.#sources.values()) source.close();
    this.#sources.clear();
  }

  async #run(): Promise<void> {
    for (let heard = await this.#socket.receive(); heard; heard = await this.#socket.receive()) {
      this.#handleAsk(heard);
    }
  }

  #handleAsk({ bytes, from, user, descriptor }: ShareDatagram): void {
    const { engine, holding, isForAllUsers } = this.#options;
    if (descriptor !== undefined) this.#socket.closeDescriptor(descriptor);
    const ask = shareAsk.decode(bytes);
    if (!ask) return this.#drops.count("malformed");
    const held = holding(ask.token);
    if (!held) return this.#drops.count("bad token");
    const mac = shareMac(engine, held.pullKey, held.exposed.exposureKey);
    const [covered, itsMac] = shareAsk.authenticated(bytes);
    if (!equalBytes(mac(covered), itsMac)) return this.#drops.count("wrong mac");
    const { segment } = ask;
    const answer = (status: ShareAnswer["status"], memory?: number) =>
      this.#socket.send(from, shareAnswer.encode({ segment, status }, mac), memory);
    if (user !== this.#socket.user && !isForAllUsers) return void answer(ShareStatus.OTHER_USER);
    const memory = this.#segment(held.exposed, segment);
    if (!memory) return void answer(ShareStatus.NOT_AVAILABLE);
    if (answer(ShareStatus.GIVEN, memory.descriptor)) this.#bytesGiven += memory.bytes;
  }

  #segment(exposed: Exposed, segment: number): { descriptor: number; bytes: number } | undefined {
    const source = this.#sources.get(exposed);
    const at = segment * SEGMENT_BYTES;
    if (!source || at >= source.size) return undefined;
    const key = `${exposed.id.toHex()} ${segment}`;
    const bytes = Math.min(SEGMENT_BYTES, source.size - at);
    const memory = this.#memory.get(key) ?? this.#make(source, at, bytes);
    if (!memory) return undefined;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#makeRoom(Infinity), limits.shareIdleMsMax);
    this.#memory.delete(key);
    this.#memory.set(key, memory);
    return memory;
  }

  /** A source that changed meanwhile may be read: whoever has it compares every chunk. */
  #make(source: ByteSource, at: number, bytes: number): { descriptor: number; bytes: number } | undefined {
    this.#makeRoom(bytes);
    try {
      const file = this.#files.get(source);
      const descriptor = this.#socket.makeMemory(
        bytes,
        (offset, into) => source.read(at + offset, into),
        file === undefined ? undefined : { descriptor: file, offset: at },
      );
      this.#bytesRead += bytes;
      this.#memoryBytes += bytes;
      return { descriptor, bytes };
    } catch {
      // No memory, no descriptor, or no source any more: the network's road will tell.
      return undefined;
    }
  }

  #makeRoom(bytes: number): void {
    const max = Math.min(this.#options.memoryBytesMax, limits.shareSegmentsMax * SEGMENT_BYTES);
    for (const [key, memory] of this.#memory) {
      if (this.#memoryBytes + bytes <= max) return;
      this.#memory.delete(key);
      this.#memoryBytes -= memory.bytes;
      this.#socket.closeDescriptor(memory.descriptor);
    }
  }
}
