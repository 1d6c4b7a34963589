/*
 * When what happens, in ms. The first five are RNP's heartbeat timeline: heartbeats at 0, 10 and 20 s; none at 30; SUSPECT at 31; probes at
 * 32; given up at 35; DEAD at 36; told to all at 37.
 */

/** From one heartbeat to the next. */
export const HEARTBEAT_MS = 10_000;
/** How late a heartbeat may be before its sender is suspected. */
export const LATE_MS = 1000;
/** From suspicion to the first probes. */
export const PROBE_AFTER_MS = 1000;
/** How long probes are sent and answers waited for. */
export const PROBE_MS = 3000;
/** From there to the verdict. */
export const VERDICT_MS = 1000;
/** A suspicion that no other watcher shares is held so much longer (Lifeguard §III.B). */
export const ALONE_MS = 5000;
/** Between two rounds of probes. */
export const PROBE_EVERY_MS = 1000;

/** Each node is watched by so many; so many relay a probe; so many get a round of gossip. */
export const FAN_OUT = 3;
/** Between two rounds of gossip, while there is something to tell; and so from a verdict to the broadcast. */
export const GOSSIP_EVERY_MS = 1000;
/** Between two attempts to join, while nobody has answered. */
export const JOIN_EVERY_MS = 1000;
/** Updates in one message. */
export const UPDATES_MAX = 32;
/** A node announces itself to one other, dead ones among them: so what was parted finds itself again. */
export const ANNOUNCE_MS = 30_000;
/** A node that is dead or has left is forgotten after an hour. */
export const FORGET_MS = 3_600_000;
