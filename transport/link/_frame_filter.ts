import { ETHERTYPE, FRAME_MAGIC } from "../../codec/ethernet_frame.ts";
import { AND, assemble, JUMP_EQUAL, JUMP_GREATER, LOAD_HALF, LOAD_WORD } from "./_classic_bpf.ts";
import type { Instruction } from "./_classic_bpf.ts";

/*
 * A program that lets through the frames of one link and nothing else: the kernel runs it on each frame before it copies or wakes anything.
 */

/** What is known of a frame beside its bytes: loads from here on. */
const ANCILLARY = 2 ** 32 - 0x1000; // SKF_AD_OFF
const PACKET_KIND = ANCILLARY + 4; // SKF_AD_PKTTYPE
const TAG = ANCILLARY + 44; // SKF_AD_VLAN_TAG
const TAG_PRESENT = ANCILLARY + 48; // SKF_AD_VLAN_TAG_PRESENT
/** To this machine, to all, to a group; above that: to another machine (or another VLAN), or from here. */
const PACKET_MULTICAST = 2;

/** How the program ends: so many bytes of a frame are kept. */
const ends = { drop: 0, pass: 2 ** 32 - 1 } as const;
type End = keyof typeof ends;

/** Whose frames pass. */
export interface FrameFilter {
  /** The port. */
  readonly port: number;
  /** 6 bytes each: the card's own address, that of everybody, and groups. */
  readonly destinations: readonly Uint8Array[];
  /** Only frames of this VLAN, 1 to 4094; absent: only those of none. */
  readonly vlan?: number | undefined;
}

/** Jumps have 8 bits, and each destination takes four instructions. */
const destinationsMax = 60;

/** The program. @throws {RangeError} for more than 60 destinations */
export function filterProgram(filter: FrameFilter): Uint8Array<ArrayBuffer> {
  if (filter.destinations.length > destinationsMax) {
    throw new RangeError(`a filter takes ${destinationsMax} destinations, not ${filter.destinations.length}`);
  }
  return assemble(instructions(filter), ends);
}

function instructions({ port, destinations, vlan }: FrameFilter): Instruction<End>[] {
  return [
    // The cheapest refusals first: most frames of a busy interface have another EtherType.
    [LOAD_HALF, 12],
    [JUMP_EQUAL, ETHERTYPE, 0, "drop"],
    [LOAD_HALF, 14],
    [JUMP_EQUAL, FRAME_MAGIC, 0, "drop"],
    [LOAD_HALF, 16],
    [JUMP_EQUAL, port, 0, "drop"],
    [LOAD_WORD, PACKET_KIND],
    [JUMP_GREATER, PACKET_MULTICAST, "drop", 0],
    ...vlan === undefined ? [] : inVlan(vlan),
    ...destinations.flatMap(toDestination),
  ];
}

function inVlan(vlan: number): Instruction<End>[] {
  return [
    [LOAD_WORD, TAG_PRESENT],
    [JUMP_EQUAL, 0, "drop", 0],
    [LOAD_WORD, TAG],
    [AND, 0xfff],
    [JUMP_EQUAL, vlan, 0, "drop"],
  ];
}

/** Passes when it is this one, and else goes on behind. */
function toDestination(mac: Uint8Array): Instruction<End>[] {
  const view = new DataView(mac.buffer, mac.byteOffset, 6);
  return [
    [LOAD_WORD, 2],
    [JUMP_EQUAL, view.getUint32(2), 0, 2],
    [LOAD_HALF, 0],
    [JUMP_EQUAL, view.getUint16(0), "pass", 0],
  ];
}
