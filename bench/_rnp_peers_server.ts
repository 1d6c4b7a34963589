/* The side that takes, of `bench/rnp_peers.ts`: `PROTOCOL FOLDER [PORT]`. It prints the port to dial. */
import { readNodeFolder } from "../cluster/mod.ts";
import { protocols } from "./_messengers/protocols.ts";

const [name, folder, port] = Deno.args;
const { credentials } = await readNodeFolder(folder);
console.log(await protocols.find((one) => one.name === name)!.serve(credentials, Number(port)));
