import type { Libc } from "./_libc.ts";
import { checked } from "./_poller.ts";

/*
 * The classic Berkeley packet filter (Linux, include/uapi/linux/bpf_common.h and filter.h): small programs that the kernel runs on what
 * arrives, before it copies or wakes anything. No privileges are needed.
 */
export const LOAD_BYTE = 0x30; // BPF_LD | BPF_B | BPF_ABS
export const LOAD_HALF = 0x28; // BPF_LD | BPF_H | BPF_ABS
export const LOAD_WORD = 0x20; // BPF_LD | BPF_W | BPF_ABS
export const LOAD_LENGTH = 0x80; // BPF_LD | BPF_W | BPF_LEN
export const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
export const JUMP_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
export const JUMP_GREATER = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K

/** One step. Where a jump leads: so many instructions are skipped, or one of the program's ends. */
export type Instruction<End extends string> = readonly [
  code: number,
  constant: number,
  whenTrue?: number | End,
  whenFalse?: number | End,
];

/**
 * A program: 8 bytes an instruction, little-endian, as `struct sock_filter` has them. The ends, with what each returns, come last: a program
 * that runs into them takes the first.
 */
export function assemble<End extends string>(
  steps: readonly Instruction<End>[],
  ends: Readonly<Record<End, number>>,
): Uint8Array<ArrayBuffer> {
  const names = Object.keys(ends) as End[];
  const lines = [...steps, ...names.map((name): Instruction<End> => [RETURN, ends[name]])];
  const bytes = new Uint8Array(8 * lines.length);
  const view = new DataView(bytes.buffer);
  lines.forEach(([code, constant, ...goals], i) => {
    view.setUint16(8 * i, code, true);
    goals.forEach((goal = 0, which) => {
      const skip = typeof goal === "number" ? goal : steps.length + names.indexOf(goal) - i - 1;
      // Jumps have 8 bits.
      if (skip > 255) throw new RangeError(`the program is too long: a jump over ${skip} instructions`);
      bytes[8 * i + 2 + which] = skip;
    });
    view.setUint32(8 * i + 4, constant, true);
  });
  return bytes;
}

const SOL_SOCKET = 1;

/** Gives a program to a socket, by the option that says what for. @throws {Error} with a `code` */
export function attach(
  libc: Libc,
  descriptor: number,
  [name, option]: readonly [name: string, option: number],
  program: Uint8Array<ArrayBuffer>,
): void {
  // `struct sock_fprog`: how many instructions, and where they are.
  const facts = new BigUint64Array([BigInt(program.length / 8), BigInt(libc.addressOf(program))]);
  checked(libc, name, libc.call.setsockopt(descriptor, SOL_SOCKET, option, facts, facts.byteLength));
}
