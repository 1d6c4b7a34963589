import { ETHERTYPE, FRAME_MAGIC } from "../../codec/ethernet_frame.ts";

/*
 * A program of the classic Berkeley packet filter (Linux, include/uapi/linux/bpf_common.h and filter.h) that lets through the frames of one
 * link and nothing else: the kernel runs it on each frame before it copies or wakes anything.
 */
const LOAD_HALF = 0x28; // BPF_LD | BPF_H | BPF_ABS
const LOAD_WORD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_GREATER = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K

/** What is known of a frame beside its bytes: loads from here on. */
const ANCILLARY = 2 ** 32 - 0x1000; // SKF_AD_OFF
const PACKET_KIND = ANCILLARY + 4; // SKF_AD_PKTTYPE
const TAG = ANCILLARY + 44; // SKF_AD_VLAN_TAG
const TAG_PRESENT = ANCILLARY + 48; // SKF_AD_VLAN_TAG_PRESENT
/** To this machine, to all, to a group; above that: to another machine (or another VLAN), or from here. */
const PACKET_MULTICAST = 2;

/** Where a jump leads: so many instructions are skipped, or one of both ends. */
type Goal = number | "drop" | "pass";
type Instruction = readonly [code: number, constant: number, whenTrue?: Goal, whenFalse?: Goal];

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

/** The program: 8 bytes an instruction, little-endian, as `struct sock_filter` has them. @throws {RangeError} for more than 60 destinations */
export function filterProgram(filter: FrameFilter): Uint8Array<ArrayBuffer> {
  if (filter.destinations.length > destinationsMax) {
    throw new RangeError(`a filter takes ${destinationsMax} destinations, not ${filter.destinations.length}`);
  }
  const lines = instructions(filter);
  const ends = { drop: lines.length - 2, pass: lines.length - 1 };
  const skip = (goal: Goal, from: number) => typeof goal === "number" ? goal : ends[goal] - from - 1;
  const bytes = new Uint8Array(8 * lines.length);
  const view = new DataView(bytes.buffer);
  lines.forEach(([code, constant, whenTrue = 0, whenFalse = 0], i) => {
    view.setUint16(8 * i, code, true);
    bytes[8 * i + 2] = skip(whenTrue, i);
    bytes[8 * i + 3] = skip(whenFalse, i);
    view.setUint32(8 * i + 4, constant, true);
  });
  return bytes;
}

function instructions({ port, destinations, vlan }: FrameFilter): Instruction[] {
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
    [RETURN, 0],
    [RETURN, 2 ** 32 - 1],
  ];
}

function inVlan(vlan: number): Instruction[] {
  return [
    [LOAD_WORD, TAG_PRESENT],
    [JUMP_EQUAL, 0, "drop", 0],
    [LOAD_WORD, TAG],
    [AND, 0xfff],
    [JUMP_EQUAL, vlan, 0, "drop"],
  ];
}

/** Passes when it is this one, and else goes on behind. */
function toDestination(mac: Uint8Array): Instruction[] {
  const view = new DataView(mac.buffer, mac.byteOffset, 6);
  return [
    [LOAD_WORD, 2],
    [JUMP_EQUAL, view.getUint32(2), 0, 2],
    [LOAD_HALF, 0],
    [JUMP_EQUAL, view.getUint16(0), "pass", 0],
  ];
}
