import { keepalive } from "../../codec/control.ts";
import { RETRY_COOKIE_SIZE_AT, STATE_COOKIE_SIZE_AT } from "../../codec/handshake.ts";
import { MAC_BYTES, PacketType, PROTOCOL_VERSION } from "../../codec/packet.ts";
import {
  assemble,
  attach,
  JUMP_EQUAL,
  JUMP_GREATER,
  LOAD_BYTE,
  LOAD_HALF,
  LOAD_LENGTH,
} from "./_classic_bpf.ts";
import type { Libc } from "./_libc.ts";
import { type LinuxSocket, openBeside } from "./_linux_socket.ts";

/*
 * Several sockets at one port, and a program in the kernel that says which of them gets a datagram. What strangers send fills the buffers of
 * theirs, however much it is, and not the one in which requests of pulls wait.
 */
const SO_ATTACH_REUSEPORT_CBPF = ["SO_ATTACH_REUSEPORT_CBPF", 51] as const;

/**
 * Which socket, by its number: the first one is for what belongs to pulls. One for those who come back with a cookie is apart from that for
 * whoever comes first, since a flood under invented addresses has none.
 */
const sockets = { pulls: 0, strangers: 1, returning: 2 } as const;

/** Some hundred first messages: what comes while their reader rests, and as little as that, since the last of them waits for all others. */
const bufferBytes = 512 * 1024;

const byteOf = (type: number) => PROTOCOL_VERSION << 4 | type;
/** The shortest packet of a pull. */
const pullBytesMin = keepalive.size + MAC_BYTES;

/** Loads begin at the payload. One from beyond the end would end the program with 0, so short ones go first. */
export const strangersProgram: Uint8Array<ArrayBuffer> = assemble<keyof typeof sockets>([
  [LOAD_LENGTH, 0],
  [JUMP_GREATER, pullBytesMin - 1, 0, "strangers"],
  [LOAD_BYTE, 0],
  [JUMP_EQUAL, byteOf(PacketType.PULL_REQUEST), "pulls"],
  [JUMP_EQUAL, byteOf(PacketType.KEEPALIVE), "pulls"],
  [JUMP_EQUAL, byteOf(PacketType.RATE_REPORT), "pulls"],
  [JUMP_EQUAL, byteOf(PacketType.HANDSHAKE), 0, "strangers"],
  [LOAD_BYTE, RETRY_COOKIE_SIZE_AT],
  [JUMP_EQUAL, 0, 0, "returning"],
  [LOAD_HALF, STATE_COOKIE_SIZE_AT],
  [JUMP_EQUAL, 0, "strangers", "returning"],
], sockets);

/** Opens the sockets for strangers beside the one for pulls; none where the system cannot. */
export function openStrangers(libc: Libc, pulls: LinuxSocket): LinuxSocket[] {
  const opened: LinuxSocket[] = [];
  try {
    while (opened.length < Object.keys(sockets).length - 1) opened.push(openBeside(libc, pulls, bufferBytes));
    attach(libc, pulls.descriptor, SO_ATTACH_REUSEPORT_CBPF, strangersProgram);
    return opened;
  } catch {
    for (const { descriptor } of opened) libc.call.close(descriptor);
    return [];
  }
}
