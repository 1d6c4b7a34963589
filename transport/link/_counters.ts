import type { LinkStats } from "./link.ts";

/** The counters behind {@linkcode LinkStats}, which the kinds of link write. */
export class Counters implements LinkStats {
  packetsSent = 0;
  bytesSent = 0;
  packetsReceived = 0;
  bytesReceived = 0;
  sendErrors = 0;
  receiveErrors = 0;
  receiveDrops = 0;
  lastSendError: string | undefined;
  lastReceiveError: string | undefined;

  /** `packets` datagrams of `bytes` bytes together went out. */
  sent(packets: number, bytes: number): void {
    this.packetsSent += packets;
    this.bytesSent += bytes;
  }

  /** `packets` datagrams of `bytes` bytes together are handed to the reader. */
  received(packets: number, bytes: number): void {
    this.packetsReceived += packets;
    this.bytesReceived += bytes;
  }

  /** The network refused so many datagrams. */
  sendFailed(cause: unknown, packets = 1): void {
    this.sendErrors += packets;
    this.lastSendError = textOf(cause);
  }

  /** A datagram longer than the link can send. */
  oversize(length: number, payloadBytesMax: number): void {
    this.sendFailed(
      `a datagram of ${length} bytes is longer than the ${payloadBytesMax} that this link can send`,
    );
  }

  /** The socket reported a failure instead of a datagram. */
  receiveFailed(cause: unknown): void {
    this.receiveErrors++;
    this.lastReceiveError = textOf(cause);
  }
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
