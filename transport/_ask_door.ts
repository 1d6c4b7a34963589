/*
 * For a test that needs another user: asks at a door, and prints what it hears. It imports no packages, which another user may not have.
 */
import { shareAnswer } from "../codec/share.ts";
import { shareAddress, ShareSocket } from "./link/share_socket.ts";

const [door, ask] = Deno.args.map((hex) => Uint8Array.fromHex(hex));
const socket = ShareSocket.open(crypto.getRandomValues(new Uint8Array(16)));
if (!socket?.send(shareAddress(door), ask)) throw new Error("nobody is there");
const heard = await socket.receive();
const answer = heard && shareAnswer.decode(heard.bytes);
console.log(JSON.stringify({ ...answer, isMemory: heard?.descriptor !== undefined }));
socket.close();
