/** What the kernel knows of a packet beside its bytes, by the number of the ancillary load. */
export type KnownFacts = Readonly<Record<number, number>>;

/** Of the filter's machine what programs here use, as Linux' Documentation/networking/filter.rst has it: what a program returns. For tests. */
export function runBpf(program: Uint8Array<ArrayBuffer>, packet: Uint8Array, known: KnownFacts = {}): number {
  const code = new DataView(program.buffer);
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  let accumulator = 0;
  for (let at = 0; at < program.length; at += 8) {
    const constant = code.getUint32(at + 4, true);
    const [whenTrue, whenFalse] = [program[at + 2], program[at + 3]];
    const jump = (isSo: boolean) => at += 8 * (isSo ? whenTrue : whenFalse);
    const isAncillary = constant >= 0xfffff000;
    const operation = code.getUint16(at, true);
    const bytes = LOADS[operation];
    if (bytes !== undefined) {
      if (isAncillary) accumulator = known[constant - 0xfffff000];
      // A load from beyond the end ends the program with 0.
      else if (constant + bytes > packet.length) return 0;
      else {
        accumulator = bytes === 1
          ? view.getUint8(constant)
          : bytes === 2
          ? view.getUint16(constant)
          : view.getUint32(constant);
      }
      continue;
    }
    switch (operation) {
      case 0x80:
        accumulator = packet.length;
        break;
      case 0x54:
        accumulator = (accumulator & constant) >>> 0;
        break;
      case 0x15:
        jump(accumulator === constant);
        break;
      case 0x25:
        jump(accumulator > constant);
        break;
      case 0x06:
        return constant;
      default:
        throw new Error(`no such instruction: ${operation}`);
    }
  }
  throw new Error("the program has no end");
}

/** Bytes that each loads. */
const LOADS: Readonly<Record<number, number>> = { 0x20: 4, 0x28: 2, 0x30: 1 };
