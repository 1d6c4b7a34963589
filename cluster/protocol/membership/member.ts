/** What a node takes another one for. */
export type MemberState = "alive" | "suspect" | "dead" | "left";

/** What nodes tell each other of one of them. */
export type MemberUpdate = {
  /** Whom it is about. */
  readonly node: string;
  readonly state: MemberState;
  /** Grows with each run of the node, and when it contradicts a suspicion: nobody but itself makes it larger. */
  readonly incarnation: number;
  /** Where it is found, `HOST:PORT`; empty when it takes no connections. */
  readonly address: string;
};

/** SWIM §4.2: of two things said under one incarnation, the worse is believed. */
const rank: Readonly<Record<MemberState, number>> = { alive: 0, suspect: 1, dead: 2, left: 3 };

/** Whether an update is news to whoever knows `known`. */
export function overrides(update: MemberUpdate, known: MemberUpdate | undefined): boolean {
  if (!known) return true;
  if (update.incarnation !== known.incarnation) return update.incarnation > known.incarnation;
  return rank[update.state] > rank[known.state];
}

/** Whether a node in this state takes part. */
export function isPresent({ state }: { readonly state: MemberState }): boolean {
  return state === "alive" || state === "suspect";
}
