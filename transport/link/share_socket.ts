/**
 * Datagrams between processes of one machine that can carry a descriptor: Unix sockets in the abstract name space, which is that of a
 * network namespace. Their names are no files, and are gone with their sockets. It needs `--allow-ffi` for the folder of the C library.
 *
 * @module
 */
import { isErrno } from "./_errno.ts";
import type { Libc } from "./_libc.ts";
import { Messages } from "./_mmsg.ts";
import { checked, Poller, READABLE } from "./_poller.ts";
import { isSealedMemory, makeSealedMemory, mapSealedMemory, openMemoryFile } from "./sealed_memory.ts";
import type { MemoryFile } from "./sealed_memory.ts";
import { Turn } from "./_turn.ts";

/** A datagram from another process of this machine. */
export interface ShareDatagram {
  /** What it says. */
  readonly bytes: Uint8Array;
  /** Where it is from, to answer there. */
  readonly from: Uint8Array;
  /** The user that its sender ran as: the kernel says so. */
  readonly user: number;
  /** A descriptor that came with it; the receiver's to close. */
  readonly descriptor?: number;
}

// Linux, include/linux/socket.h, include/uapi/asm-generic/socket.h.
const AF_UNIX = 1;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_PASSCRED = 16;
const [SCM_RIGHTS, SCM_CREDENTIALS] = [1, 2];
const MSG_TRUNC_OR_CTRUNC = 0x20 | 0x08;
const MSG_CMSG_CLOEXEC = 0x40000000;

/*
 *   sockaddr_un  family 2, path up to 108: in the abstract name space a zero, then the name
 *   cmsghdr      len 8, level 4, type 4, then data, in all a multiple of 8
 *   ucred        pid 4, uid 4, gid 4
 */
const SOCKADDR_BYTES = 110;
/** Of a socket without a name: its family alone. */
const UNNAMED_BYTES = 2;
const CMSG_HEADER_BYTES = 16;
const CMSG_DESCRIPTOR_BYTES = 24;
/** Room for credentials and for one descriptor, not for two: the kernel keeps what does not fit. */
const CONTROL_BYTES = CMSG_HEADER_BYTES + 16 + CMSG_HEADER_BYTES + 4;
const DATAGRAM_BYTES_MAX = 512;
/** What names of this project begin with: nobody can be made to talk to other programs. */
const PREFIX = "rgtp/";

/** A socket on this machine. One reader at a time. */
export class ShareSocket {
  /** The user that this process runs as. */
  readonly user: number;
  /** Also for whoever works on what comes in without waiting. */
  readonly turn: Turn = new Turn();
  readonly #poller: Poller;
  readonly #libc: Libc;
  readonly #descriptor: number;
  readonly #incoming: Buffers;
  readonly #outgoing: Buffers;
  #closed = false;

  /**
   * One that is called `name` (16 random bytes). `undefined` where the C library cannot be had, or there can be no such socket: nothing
   * depends on it.
   */
  static open(name: Uint8Array): ShareSocket | undefined {
    let poller: Poller | undefined;
    try {
      poller = Poller.share();
      return poller && new ShareSocket(poller, name);
    } catch {
      poller?.release();
      return undefined;
    }
  }

  private constructor(poller: Poller, name: Uint8Array) {
    const { libc } = poller;
    this.#poller = poller;
    this.#libc = libc;
    this.user = libc.call.geteuid();
    this.#incoming = new Buffers(libc);
    this.#outgoing = new Buffers(libc);
    this.#descriptor = checked(libc, "socket", libc.call.socket(AF_UNIX, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0));
    try {
      const address = shareAddress(name);
      checked(libc, "bind", libc.call.bind(this.#descriptor, address, address.length));
      const one = Int32Array.of(1);
      const passed = libc.call.setsockopt(this.#descriptor, SOL_SOCKET, SO_PASSCRED, one, 4);
      checked(libc, "setsockopt", passed);
    } catch (error) {
      libc.call.close(this.#descriptor);
      throw error;
    }
  }

  /** Sends to where a datagram came from, or to a {@linkcode shareAddress}. False when nobody is there, or does not read. */
  send(to: Uint8Array, bytes: Uint8Array, descriptor?: number): boolean {
    if (this.#closed || to.length <= UNNAMED_BYTES) return false;
    const { messages } = this.#outgoing.toSend(to, bytes, descriptor);
    return this.#libc.call.sendmmsg(this.#descriptor, messages.bytes, 1, 0) === 1;
  }

  /** The next datagram; `undefined` when the socket is closed. What was cut off, or is from nobody, is left out. */
  async receive(): Promise<ShareDatagram | undefined> {
    while (!this.#closed) {
      if (this.turn.isOver) {
        await this.turn.yield();
        continue;
      }
      const { messages } = this.#incoming.toReceive();
      const count = this.#libc.call.recvmmsg(this.#descriptor, messages.bytes, 1, MSG_CMSG_CLOEXEC, null);
      if (count !== 1) {
        if (!isErrno(this.#libc.errno(), "EAGAIN", "EINTR")) return undefined;
        await this.#poller.wait(this.#descriptor, READABLE).catch(() => this.close());
        this.turn.begin();
        continue;
      }
      const datagram = this.#incoming.read();
      if (datagram.isWhole) return datagram;
      if (datagram.descriptor !== undefined) this.closeDescriptor(datagram.descriptor);
    }
    return undefined;
  }

  /** See {@linkcode openMemoryFile}. */
  openFile(state: { path: string; device: number; inode: number }): number | undefined {
    return openMemoryFile(this.#libc, state);
  }

  /** See {@linkcode makeSealedMemory}. */
  makeMemory(bytes: number, read: (offset: number, into: Uint8Array) => void, file?: MemoryFile): number {
    return makeSealedMemory(this.#libc, bytes, read, file);
  }

  /** Has `window` show the memory of a descriptor, when that is sealed and of the same size. See {@linkcode mapSealedMemory}. */
  map(descriptor: number, window: Uint8Array): boolean {
    return isSealedMemory(this.#libc, descriptor, window.length) &&
      mapSealedMemory(this.#libc, descriptor, window);
  }

  /** Closes a descriptor that came in, or that was made here. What is mapped stays. */
  closeDescriptor(descriptor: number): void {
    if (!this.#closed) this.#libc.call.close(descriptor);
  }

  /** Lets whoever waits go. Twice is fine. Descriptors are to be closed before. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#libc.call.close(this.#descriptor);
    this.#poller.forget(this.#descriptor);
    this.#poller.release();
  }
}

/** Where the socket of a name is. */
export function shareAddress(name: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = name.toBase64({ alphabet: "base64url", omitPadding: true });
  const path = new TextEncoder().encode(`\0${PREFIX}${text}`);
  const address = new Uint8Array(2 + path.length);
  address[0] = AF_UNIX;
  address.set(path, 2);
  return address;
}

/** The memory of one message, at addresses that stay. */
class Buffers {
  readonly messages: Messages;
  readonly #name = new Uint8Array(new ArrayBuffer(SOCKADDR_BYTES));
  readonly #bytes = new Uint8Array(new ArrayBuffer(DATAGRAM_BYTES_MAX));
  readonly #control = new Uint8Array(new ArrayBuffer(CONTROL_BYTES));
  readonly #view = new DataView(this.#control.buffer);
  readonly #addresses: readonly number[];

  constructor(libc: Libc) {
    const addressOf = (buffer: Uint8Array<ArrayBuffer>) => libc.addressOf(buffer);
    this.messages = new Messages(1, addressOf);
    this.#addresses = [this.#name, this.#bytes, this.#control].map(addressOf);
  }

  toReceive(): this {
    return this.#set(SOCKADDR_BYTES, DATAGRAM_BYTES_MAX, CONTROL_BYTES);
  }

  toSend(to: Uint8Array, bytes: Uint8Array, descriptor: number | undefined): this {
    this.#name.set(to);
    this.#bytes.set(bytes);
    if (descriptor === undefined) return this.#set(to.length, bytes.length, 0);
    this.#view.setUint32(0, CMSG_HEADER_BYTES + 4, true);
    this.#view.setUint32(4, 0, true);
    this.#view.setInt32(8, SOL_SOCKET, true);
    this.#view.setInt32(12, SCM_RIGHTS, true);
    this.#view.setInt32(16, descriptor, true);
    return this.#set(to.length, bytes.length, CMSG_DESCRIPTOR_BYTES);
  }

  read(): ShareDatagram & { readonly isWhole: boolean } {
    const [descriptor, user] = this.#controls();
    const isWhole = (this.messages.flags(0) & MSG_TRUNC_OR_CTRUNC) === 0 && user !== undefined;
    return {
      isWhole,
      bytes: this.#bytes.slice(0, this.messages.length(0)),
      from: this.#name.slice(0, this.messages.nameBytes(0)),
      user: user ?? -1,
      ...(descriptor !== undefined && { descriptor }),
    };
  }

  #set(nameBytes: number, bytes: number, controlBytes: number): this {
    const [name, buffer, control] = this.#addresses;
    this.messages.setName(0, name, nameBytes);
    this.messages.setBuffer(0, buffer, bytes);
    this.messages.setControl(0, controlBytes === 0 ? 0 : control, controlBytes);
    return this;
  }

  /** What the kernel says beside the datagram: a descriptor, and who has sent it. */
  #controls(): [descriptor: number | undefined, user: number | undefined] {
    const end = Math.min(this.messages.controlBytes(0), CONTROL_BYTES);
    let descriptor: number | undefined;
    let user: number | undefined;
    for (let at = 0; at + CMSG_HEADER_BYTES <= end;) {
      const length = this.#view.getUint32(at, true);
      if (length < CMSG_HEADER_BYTES || at + length > end) break;
      const isOf = (type: number, bytes: number) =>
        this.#view.getInt32(at + 8, true) === SOL_SOCKET && this.#view.getInt32(at + 12, true) === type &&
        length >= CMSG_HEADER_BYTES + bytes;
      if (isOf(SCM_RIGHTS, 4)) descriptor = this.#view.getInt32(at + CMSG_HEADER_BYTES, true);
      if (isOf(SCM_CREDENTIALS, 12)) user = this.#view.getUint32(at + CMSG_HEADER_BYTES + 4, true);
      at += (length + 7) & ~7;
    }
    return [descriptor, user];
  }
}
