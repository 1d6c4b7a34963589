/*
 * A node in a process of its own: `FOLDER [PORT_OF_RELAY]`. It prints its port, counts notes, and ends when it is told goodbye by an
 * `app.stop`, whose answer says what it has seen.
 */
import { followNodeFolder } from "../../cluster/io/renewal.ts";
import { readNodeFolder } from "../../cluster/io/authority_folder.ts";
import { startNode } from "../../cluster/io/node.ts";
import { count, listOf, record } from "../../cluster/protocol/schema.ts";

const [folder] = Deno.args;
const ended = new AbortController();
const { credentials, secret } = await readNodeFolder(folder);
const node = await startNode({ credentials, secret, listen: { host: "127.0.0.1", port: 0 } });
node.define("app.note", record({ n: count }));
node.define("app.seen", record({ notes: listOf(count) }));
node.define("app.stop", record({}));
const notes: number[] = [];
node.handle("app.note", ({ n }) => void notes.push(Number(n)));
node.handle("app.stop", () => {
  setTimeout(() => ended.abort(), 50);
  return { type: "app.seen", data: { notes } };
});
console.log(node.address!.port);
await followNodeFolder(node, folder, ended.signal, 100);
await node.close();
