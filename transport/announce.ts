import { hostname } from "node:os";
import { AnnouncedAccess } from "../codec/announcement.ts";
import type { Address } from "../codec/address.ts";
import type { Manifest } from "../codec/manifest.ts";
import type { Engine } from "../crypto/engine.ts";
import type { Identity } from "../crypto/identity.ts";
import { neighbourlyAddresses } from "./addresses.ts";
import type { AccessPolicy } from "./exposure/access.ts";
import type { Link } from "./link/link.ts";
import { GroupVoice, localGroup } from "./link/local_group.ts";
import { announcementPacket } from "./protocol/announcements.ts";
import type { AnnouncedFacts } from "./protocol/announcements.ts";

/** How often it is said: who listens for three seconds hears it though two packets get lost. */
const ANNOUNCE_MS = 1000;

/** What is announced, by whom and where. */
export interface AnnounceOptions {
  readonly engine: Engine;
  readonly identity: Identity;
  /** All but the address, which is another one on each network. */
  readonly facts: AnnouncedFacts;
  /** Where it is served. */
  readonly link: Link;
  /** Told once for each address at which it cannot be announced, and when there is none. */
  readonly onWarning?: ((text: string) => void) | undefined;
}

/** Says something from one address. */
interface Voice extends Disposable {
  say(): Promise<void>;
}

/** Announces an exposure on each network of this machine, those that come later too, until it is disposed of. */
export class Announcer implements Disposable {
  readonly #options: AnnounceOptions;
  readonly #voices = new Map<string, Voice>();
  readonly #warned = new Set<string>();
  readonly #timer: ReturnType<typeof setInterval>;
  #isBusy = false;
  #isOver = false;

  constructor(options: AnnounceOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#round(), ANNOUNCE_MS);
    this.#round();
  }

  /** See {@linkcode Disposable}. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    for (const voice of this.#voices.values()) voice[Symbol.dispose]();
    this.#voices.clear();
  }

  async #round(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      const places = this.#places();
      if (places.size === 0) this.#warn("", "there is no network to announce it on; it is, when one comes");
      for (const [host, voice] of this.#voices) if (!places.has(host)) this.#drop(host, voice);
      for (const [host, open] of places) {
        await this.#say(host, open).catch((error) => {
          this.#warn(
            host,
            `it cannot be announced from ${host}: ${error instanceof Error ? error.message : error}`,
          );
        });
      }
    } finally {
      this.#isBusy = false;
    }
  }

  async #say(host: string, open: () => Promise<Voice>): Promise<void> {
    let voice = this.#voices.get(host);
    if (!voice) {
      voice = await open();
      if (this.#isOver) return voice[Symbol.dispose]();
      this.#voices.set(host, voice);
    }
    try {
      await voice.say();
    } catch (error) {
      // Its address may have gone from this machine and come back: then the next one is bound anew.
      if (!this.#isOver) this.#drop(host, voice);
      throw error;
    }
  }

  #drop(host: string, voice: Voice): void {
    this.#voices.delete(host);
    voice[Symbol.dispose]();
  }

  /** Where it can be said now, by host. */
  #places(): Map<string, () => Promise<Voice>> {
    const { link } = this.#options;
    if (link.kind === "ethernet") {
      return new Map([[link.local.host, () => Promise.resolve(this.#overLink())]]);
    }
    return new Map(
      neighbourlyAddresses(link.local.host).map((local) => [local.host, async () => {
        const packet = this.#packet({ host: local.host, port: link.local.port });
        const voice = await GroupVoice.open(local);
        return { say: () => voice.send(packet), [Symbol.dispose]: () => voice[Symbol.dispose]() };
      }]),
    );
  }

  #overLink(): Voice {
    const { link } = this.#options;
    const bytes = this.#packet(link.local);
    const datagram = { peer: localGroup.ethernet, bytes, segmentSize: bytes.length };
    return { say: () => link.send(datagram), [Symbol.dispose]: () => {} };
  }

  #packet(address: Address): Uint8Array {
    const { engine, identity, facts } = this.#options;
    return announcementPacket(engine, identity, facts, address);
  }

  #warn(about: string, text: string): void {
    if (this.#isOver || this.#warned.has(about)) return;
    this.#warned.add(about);
    this.#options.onWarning?.(text);
  }
}

/** Whom a policy lets pull, as announcements say it. */
const announcedAccess: Readonly<Record<AccessPolicy["kind"], number>> = {
  tickets: AnnouncedAccess.TICKETS,
  open: AnnouncedAccess.OPEN,
  passphrase: AnnouncedAccess.PASSPHRASE,
  allow: AnnouncedAccess.CHOSEN,
  callback: AnnouncedAccess.CHOSEN,
};

/** What is announced of an exposure that begins now. */
export function announcedFacts(
  { exposureId, manifest: { totalSize, kind }, name, access }: {
    readonly exposureId: Uint8Array;
    readonly manifest: Manifest;
    readonly name: string;
    readonly access: AccessPolicy["kind"];
  },
): AnnouncedFacts {
  const time = Math.floor(Date.now() / 1000);
  return { time, exposureId, totalSize, kind, name, access: announcedAccess[access], host: hostLabel() };
}

/** What this machine is called, where Deno permits to know it: it is for people, and proves nothing. */
function hostLabel(): string {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "hostname" });
  return state === "granted" ? hostname().slice(0, 63) : "";
}
