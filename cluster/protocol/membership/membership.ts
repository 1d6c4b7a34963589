import type { PackedMap } from "../../../codec/msgpack_map.ts";
import { limits } from "../../../core/limits.ts";
import type { Machine, Random } from "../../../core/machine.ts";
import { Fifo } from "../_fifo.ts";
import type { DataOf, MessageType } from "../message_data.ts";
import { isNodeId } from "../node_id.ts";
import { Awareness } from "./awareness.ts";
import { GossipQueue } from "./gossip_queue.ts";
import { isPresent, overrides } from "./member.ts";
import type { MemberUpdate } from "./member.ts";
import { Ring } from "./ring.ts";
import {
  ALONE_MS,
  ANNOUNCE_MS,
  FAN_OUT,
  FORGET_MS,
  GOSSIP_EVERY_MS,
  HEARTBEAT_MS,
  JOIN_EVERY_MS,
  LATE_MS,
  PROBE_AFTER_MS,
  PROBE_EVERY_MS,
  PROBE_MS,
  UPDATES_MAX,
  VERDICT_MS,
} from "./timeline.ts";

/** What a node says of itself. */
export interface MembershipSettings {
  /** Its ID. */
  readonly nodeId: string;
  /** Where others find it, `HOST:PORT`; empty when it takes no connections. */
  readonly address: string;
  /** Larger than in any earlier run: the time of its start, ms since 1970. */
  readonly incarnation: number;
  /** What it can do. */
  readonly capabilities: readonly string[];
  /** Ms since 1970 at a time of the clock that all calls take their time from. */
  readonly epochAt: (time: number) => number;
  /** For chance. */
  readonly random: Random;
  /** How it fares, for heartbeats. */
  readonly load: () => {
    readonly cpu_percent: number;
    readonly ram_used_mb: number;
    readonly instances: number;
  };
}

/** What membership asks for. */
export type MembershipOutput =
  /** A message, at most once: losses are reckoned with. */
  | { readonly kind: "send"; readonly to: string; readonly type: MessageType; readonly data: PackedMap }
  /** What is known of a node has changed. */
  | { readonly kind: "changed"; readonly update: MemberUpdate };

/** How far a suspicion has come. */
type Phase = "calm" | "suspected" | "probing" | "condemned";

/** A node that this one watches. */
interface Watch {
  phase: Phase;
  /** When the phase is over. */
  due: number;
  /** When the node was heard last. */
  heardAt: number;
  /** When the next round of probes goes out, and how many did. */
  probeAt: number;
  rounds: number;
  /** Other watchers that suspect it as well. */
  readonly accusers: Set<string>;
}

interface Member {
  readonly update: MemberUpdate;
  readonly since: number;
}

/**
 * Who belongs to the cluster, and who lives: SWIM (Das, Gupta, Motivala 2002) on RNP's timeline, with what Lifeguard (Dadgar, Phillips,
 * Currey 2018) has learned. Each node sends heartbeats to the three behind it on a ring, which watch it. Whoever misses one suspects its
 * sender, probes it itself and through others, and declares it dead when nobody gets an answer. A node that hears that it is suspected
 * contradicts. All of that goes round with messages that are sent anyway.
 */
export class MembershipMachine implements Machine<MembershipOutput> {
  readonly #settings: MembershipSettings;
  readonly #members = new Map<string, Member>();
  /** Those that this node watches. */
  readonly #watches = new Map<string, Watch>();
  /** Those who take part, as far as is known, and this node. */
  readonly #ring = new Ring();
  readonly #gossip = new GossipQueue();
  readonly #awareness = new Awareness();
  readonly #outputs = new Fifo<MembershipOutput>();
  /** Probes for others that wait for an answer: who has asked, and until when. */
  readonly #relayed = new Map<string, { readonly to: Set<string>; due: number }>();
  /** Deaths that the next round of gossip tells of. */
  readonly #obituaries: DataOf<"gossip.suspect">[] = [];
  #self: MemberUpdate;
  /** The digest, as long as nothing changes. */
  #known: number | undefined;
  #sequence = 0;
  #seed: string | undefined;
  #joinAt = Infinity;
  #heartbeatAt: number;
  #announceAt: number;
  #gossipAt = Infinity;

  /** Alone until it joins, or another one joins through it. */
  constructor(now: number, settings: MembershipSettings) {
    this.#settings = settings;
    const { nodeId: node, incarnation, address } = settings;
    this.#self = { node, state: "alive", incarnation, address };
    this.#heartbeatAt = now + this.#pick(HEARTBEAT_MS);
    this.#announceAt = now + this.#pick(ANNOUNCE_MS);
    this.#ring.add(node);
  }

  /** What is known of all nodes, itself included. */
  get members(): MemberUpdate[] {
    return [this.#self, ...Array.from(this.#members.values(), ({ update }) => update)];
  }

  /** How much this node doubts itself: 1 is not at all. */
  get healthMultiplier(): number {
    return this.#awareness.multiplier;
  }

  poll(): MembershipOutput | undefined {
    return this.#outputs.shift();
  }

  get deadline(): number {
    if (this.#self.state === "left") return Infinity;
    let due = Math.min(this.#heartbeatAt, this.#announceAt, this.#gossipAt, this.#joinAt);
    for (const { due: over, probeAt } of this.#watches.values()) due = Math.min(due, over, probeAt);
    return due;
  }

  /** Tells a node of the cluster that this one is there, until it has answered: it does so with all that it knows. */
  join(now: number, seed: string): void {
    this.#seed = seed;
    this.#joinAt = now + JOIN_EVERY_MS;
    this.#announce(seed);
  }

  /** Leaves in good order; `heir` gets what this node did. Nothing is sent after that. */
  leave(reason: string, heir?: string): void {
    this.#self = { ...this.#self, state: "left" };
    const data = { reason, ...(heir !== undefined && { transfer_instances_to: heir }) };
    for (const to of this.#some(2 * FAN_OUT)) this.#send(to, "gossip.leave", data);
  }

  /** A message has arrived. Types that are no matter of membership are passed over. */
  handleMessage<T extends string>(now: number, from: string, type: T, data: DataOf<T>): void {
    if (this.#self.state === "left" || from === this.#self.node) return;
    const { updates } = data as { readonly updates?: readonly MemberUpdate[] };
    // Who tells all that it knows tells old news: others have them, or are told in the same way.
    const isNews = updates !== undefined && updates.length <= UPDATES_MAX;
    for (const update of updates ?? []) this.#learn(now, update, from, isNews);
    this.#hear(now, from);
    switch (type as MessageType) {
      case "gossip.announce":
        return this.#compare(from, (data as DataOf<"gossip.announce">).digest, true);
      case "gossip.updates":
        return this.#compare(from, (data as DataOf<"gossip.updates">).digest, false);
      case "gossip.probe":
        return this.#handleProbe(now, from, (data as DataOf<"gossip.probe">).node);
      case "gossip.probe_ack":
        return this.#handleProbeAck(now, (data as DataOf<"gossip.probe_ack">).node);
      case "gossip.leave": {
        const known = this.#members.get(from);
        if (known) this.#learn(now, { ...known.update, state: "left" }, from, true);
      }
    }
  }

  handleTimeout(now: number): void {
    const late = now - this.deadline;
    if (late < 0 || this.#self.state === "left") return;
    // A node that was kept from working has not listened either: what it has missed says nothing about others.
    if (late > LATE_MS) this.#excuse(late);
    if (now >= this.#joinAt) this.#joinAgain(now);
    if (now >= this.#heartbeatAt) this.#beat(now);
    if (now >= this.#announceAt) this.#announceToAnyone(now);
    for (const [id, watch] of this.#watches) this.#look(now, id, watch);
    if (now >= this.#gossipAt) this.#gossipRound(now);
  }

  #beat(now: number): void {
    this.#heartbeatAt = now + HEARTBEAT_MS;
    const beat = { sequence: ++this.#sequence, ...this.#settings.load() };
    for (const to of this.#ring.after(this.#self.node, FAN_OUT)) this.#send(to, "gossip.heartbeat", beat);
  }

  /** That others have joined through this node meanwhile does not make it one of the seed's cluster. */
  #joinAgain(now: number): void {
    const seed = this.#seed!;
    this.#joinAt = this.#members.has(seed) ? Infinity : now + JOIN_EVERY_MS;
    if (this.#joinAt < Infinity) this.#announce(seed);
  }

  #announceToAnyone(now: number): void {
    this.#announceAt = now + ANNOUNCE_MS;
    for (const [id, { update, since }] of this.#members) {
      if (!isPresent(update) && now - since > FORGET_MS) this.#members.delete(id);
    }
    const others = Array.from(this.#members.values()).filter(({ update }) => update.state !== "left");
    if (others.length > 0) this.#announce(others[this.#pick(others.length)].update.node);
  }

  #announce(to: string): void {
    const { address, capabilities } = this.#settings;
    const data = { address, version: "1.0", capabilities, digest: this.#digest(), updates: [this.#self] };
    this.#outputs.push({ kind: "send", to, type: "gossip.announce", data });
  }

  /** Whoever knows something else gets all that this node knows; and is asked for the same, if it has not told it yet. */
  #compare(from: string, digest: number | undefined, ask: boolean): void {
    if (digest === undefined || digest === this.#digest()) return;
    const data = { updates: this.members, ...(ask && { digest: this.#digest() }) };
    this.#outputs.push({ kind: "send", to: from, type: "gossip.updates", data });
  }

  #handleProbe(now: number, from: string, node: string): void {
    if (node === this.#self.node) return this.#send(from, "gossip.probe_ack", { node });
    // Whom nobody knows nobody asks after.
    if (!this.#members.has(node)) return;
    const waiting = this.#relayed.get(node);
    if (waiting && waiting.due > now) waiting.to.add(from);
    else this.#relayed.set(node, { to: new Set([from]), due: now + PROBE_MS });
    this.#send(node, "gossip.probe", { node });
  }

  #handleProbeAck(now: number, node: string): void {
    this.#hear(now, node);
    const waiting = this.#relayed.get(node);
    this.#relayed.delete(node);
    if (!waiting || waiting.due < now) return;
    for (const to of waiting.to) this.#send(to, "gossip.probe_ack", { node });
  }

  /** A node has shown that it lives. */
  #hear(now: number, id: string): void {
    const watch = this.#watches.get(id);
    if (!watch) return;
    // It was there all the time: this node was wrong to suspect it.
    this.#awareness.note(watch.phase === "calm" ? -1 / FAN_OUT : 1);
    watch.heardAt = now;
    this.#calm(id, watch);
  }

  #calm(id: string, watch: Watch): void {
    const { update } = this.#members.get(id)!;
    if (watch.phase !== "calm" && update.state === "alive") this.#outputs.push({ kind: "changed", update });
    watch.phase = "calm";
    watch.due = watch.heardAt + HEARTBEAT_MS + LATE_MS * this.#awareness.multiplier;
    watch.probeAt = Infinity;
    watch.rounds = 0;
    watch.accusers.clear();
  }

  /** What somebody says of a node, perhaps of this one. */
  #learn(now: number, update: MemberUpdate, from: string, isNews: boolean): void {
    if (update.node === this.#self.node) return this.#contradict(now, update);
    const known = this.#members.get(update.node);
    if (update.state === "suspect" && update.incarnation === known?.update.incarnation) {
      this.#watches.get(update.node)?.accusers.add(from);
    }
    if (!overrides(update, known?.update)) return;
    if (!known && (this.#members.size >= limits.rnpPeersMax || !isNodeId(update.node))) return;
    // Of somebody who was never heard of it is no news that he is gone.
    if (!known && !isPresent(update)) return;
    this.#accept(now, update, isNews);
  }

  /** SWIM §4.2: only a node itself makes its incarnation larger, when it is said to be less than alive. */
  #contradict(now: number, update: MemberUpdate): void {
    if (update.incarnation < this.#self.incarnation || update.state === "alive") return;
    this.#self = { ...this.#self, incarnation: update.incarnation + 1 };
    this.#known = undefined;
    // Whoever is suspected has perhaps been slow.
    this.#awareness.note(1);
    this.#tell(now, this.#self);
  }

  /** Believes an update, and passes it on if it is news. */
  #accept(now: number, update: MemberUpdate, isNews = true): void {
    const known = this.#members.get(update.node);
    const wasPresent = known !== undefined && isPresent(known.update);
    this.#members.set(update.node, { update, since: now });
    // Alive under a new incarnation: it has contradicted, not long ago.
    if (update.state === "alive") this.#hear(now, update.node);
    if (wasPresent !== isPresent(update)) this.#seat(now, update);
    this.#known = undefined;
    this.#outputs.push({ kind: "changed", update });
    if (isNews) this.#tell(now, update);
  }

  #tell(now: number, update: MemberUpdate): void {
    this.#gossip.add(update);
    if (this.#gossipAt === Infinity) this.#gossipAt = now + GOSSIP_EVERY_MS;
  }

  /** A node comes to the ring, or goes; this one watches those in front of it. */
  #seat(now: number, update: MemberUpdate): void {
    if (isPresent(update)) this.#ring.add(update.node);
    else this.#ring.remove(update.node);
    const watched = this.#ring.before(this.#self.node, FAN_OUT);
    for (const id of this.#watches.keys()) if (!watched.includes(id)) this.#watches.delete(id);
    for (const id of watched) {
      if (this.#watches.has(id)) continue;
      const watch: Watch = {
        phase: "calm",
        due: 0,
        heardAt: now,
        probeAt: Infinity,
        rounds: 0,
        accusers: new Set(),
      };
      this.#watches.set(id, watch);
      this.#calm(id, watch);
      // It may not know yet that this node watches it.
      watch.due += HEARTBEAT_MS;
    }
  }

  /** The timeline of one node that is watched. */
  #look(now: number, id: string, watch: Watch): void {
    if (now >= watch.probeAt) this.#probe(now, id, watch);
    if (now < watch.due) return;
    switch (watch.phase) {
      case "calm":
        watch.phase = "suspected";
        watch.due = now + PROBE_AFTER_MS;
        this.#outputs.push({
          kind: "changed",
          update: { ...this.#members.get(id)!.update, state: "suspect" },
        });
        return;
      case "suspected":
        watch.phase = "probing";
        watch.due = now + PROBE_MS * this.#awareness.multiplier;
        return this.#probe(now, id, watch);
      case "probing":
        watch.phase = "condemned";
        watch.probeAt = Infinity;
        watch.due = now + VERDICT_MS + (watch.accusers.size > 0 ? 0 : ALONE_MS);
        return;
      case "condemned":
        return this.#bury(now, id, watch);
    }
  }

  /** The first round asks the node, and others to ask it. One that has not answered by the second is suspected before all. */
  #probe(now: number, id: string, watch: Watch): void {
    watch.probeAt = now + PROBE_EVERY_MS;
    if (++watch.rounds === 2) this.#suspect(now, id);
    const { update } = this.#members.get(id)!;
    // Then it hears so with every probe, and can contradict.
    const told = update.state === "suspect" ? [update] : [];
    for (const to of [id, ...this.#some(FAN_OUT, id)]) this.#send(to, "gossip.probe", { node: id }, told);
  }

  #suspect(now: number, id: string): void {
    const { update } = this.#members.get(id)!;
    const suspicion: MemberUpdate = { ...update, state: "suspect" };
    if (update.state === "alive") this.#accept(now, suspicion);
    // The others who watch it shall know at once: a suspicion that is shared is believed sooner (Lifeguard §III.C, "buddies").
    for (const to of this.#ring.after(id, FAN_OUT)) {
      if (to !== this.#self.node) this.#send(to, "gossip.updates", {}, [suspicion]);
    }
  }

  #bury(now: number, id: string, { heardAt }: Watch): void {
    this.#accept(now, { ...this.#members.get(id)!.update, state: "dead" });
    const lastSeen = Math.floor(this.#settings.epochAt(heardAt));
    this.#obituaries.push({ suspect_node: id, last_seen: lastSeen, failed_pings: FAN_OUT });
  }

  /** This node comes late to its own work: everybody gets that time as a gift. */
  #excuse(late: number): void {
    this.#awareness.note(1);
    for (const watch of this.#watches.values()) {
      watch.heardAt += late;
      watch.due += late;
      watch.probeAt += late;
    }
  }

  #gossipRound(now: number): void {
    for (const data of this.#obituaries.splice(0)) {
      for (const to of this.#some(FAN_OUT)) this.#send(to, "gossip.suspect", data);
    }
    for (const to of this.#some(FAN_OUT)) this.#send(to, "gossip.updates", {});
    this.#gossipAt = this.#gossip.size > 0 ? now + GOSSIP_EVERY_MS : Infinity;
  }

  /** A message, with as many updates as it may carry. */
  #send(to: string, type: MessageType, data: PackedMap, first: readonly MemberUpdate[] = []): void {
    const more = this.#gossip.take(UPDATES_MAX - first.length, this.#members.size);
    const updates = [...first, ...more];
    const carried = updates.length > 0 || type === "gossip.updates" ? { ...data, updates } : data;
    this.#outputs.push({ kind: "send", to, type, data: carried });
  }

  /** Some nodes that take part, by chance. */
  #some(count: number, except?: string): string[] {
    const chosen = new Set<string>();
    const others = this.#ring.size - 1 - (except === undefined ? 0 : 1);
    // Few of many: drawing again costs less than a copy of the list.
    while (chosen.size < Math.min(count, others)) {
      const id = this.#ring.at(this.#pick(this.#ring.size));
      if (id !== except && id !== this.#self.node) chosen.add(id);
    }
    return Array.from(chosen);
  }

  /** From 0 up to, but not including, `below`. */
  #pick(below: number): number {
    const [a, b, c, d] = this.#settings.random(4);
    return ((a << 24 | b << 16 | c << 8 | d) >>> 0) % below;
  }

  /** The same for nodes that know the same of those who take part. */
  #digest(): number {
    return this.#known ??= this.#sum();
  }

  #sum(): number {
    let sum = 0;
    for (const update of this.members) {
      if (!isPresent(update)) continue;
      const text = `${update.node} ${update.incarnation}`;
      let hash = 0x811c9dc5;
      for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
      sum = (sum + (hash >>> 0)) % 2 ** 32;
    }
    return sum;
  }
}
