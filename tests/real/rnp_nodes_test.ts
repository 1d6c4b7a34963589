/*
 * Nodes that talk to each other over mutual TLS on the loopback interface.
 */
import { createHash, randomBytes } from "node:crypto";
import { initAuthority, issueNode, readNodeFolder, rotateNodes } from "../../cluster/io/authority_folder.ts";
import { startNode } from "../../cluster/io/node.ts";
import type { ClusterNode } from "../../cluster/io/node.ts";
import { joinCluster } from "../../cluster/io/membership.ts";
import type { Membership } from "../../cluster/io/membership.ts";
import { followNodeFolder } from "../../cluster/io/renewal.ts";
import { rnpError } from "../../cluster/protocol/errors.ts";
import { defaultRetry } from "../../cluster/protocol/retry.ts";
import type { MemberUpdate } from "../../cluster/protocol/membership/member.ts";
import { count, listOf, record } from "../../cluster/protocol/schema.ts";
import { RgtpError } from "../../core/errors.ts";
import { BenchProcess } from "../../bench/_processes.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "../_assert.ts";
import { seededRandom } from "../sim/random.ts";
import { credentialsOf, listeningNode, Relay, until } from "./_cluster.ts";

const note = record({ n: count });

/** Two nodes, of which the second knows where the first is; both know notes. */
async function two(): Promise<{ a: ClusterNode; b: ClusterNode } & AsyncDisposable> {
  const a = await listeningNode("node-a");
  const b = await startNode({ credentials: await credentialsOf("node-b"), peers: { "node-a": a.address! } });
  for (const node of [a, b]) node.define("app.note", note);
  return {
    a,
    b,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([a.close(), b.close()]);
    },
  };
}

function numbers(length: number): number[] {
  return Array.from({ length }, (_, n) => n);
}

Deno.test("rnp nodes: ping, a message, a request and its answer, both ways over one dialled link", async () => {
  await using nodes = await two();
  const { a, b } = nodes;
  assert(await b.ping("node-a") < 10_000);
  const seen: unknown[] = [];
  a.handle("app.note", ({ n }, { sender, channel }) => {
    seen.push([n, sender, channel]);
    return { type: "app.note", data: { n: Number(n) * 2 } };
  });
  b.handle("app.note", ({ n }) => ({ type: "app.note", data: { n: Number(n) + 1 } }));
  await b.send("node-a", "app.note", { n: 1 });
  const answer = await b.request("node-a", "app.note", { n: 21 });
  assertEquals([answer.data, answer.sender], [{ n: 42 }, "node-a"]);
  assertEquals(seen, [[1, "node-b", "main"], [21, "node-b", "main"]]);
  // The first one has no address of the second.
  assertEquals((await a.request("node-b", "app.note", { n: 1 })).data, { n: 2 });
  assertEquals([a.peers[0].isReachable, b.peers[0].isReachable], [true, true]);
});

Deno.test("rnp nodes: what a handler throws comes back with its code; without a handler it is NOT_FOUND", async () => {
  await using nodes = await two();
  const { a, b } = nodes;
  const missing = await assertRejects(() => b.request("node-a", "app.note", { n: 1 }), RgtpError);
  assertEquals([missing.condition, missing.data.rnp], ["NOT_FOUND", 4000]);
  a.handle("app.note", ({ n }) => {
    if (n === 1) throw new Error("the roof is on fire");
    throw rnpError({ code: "RESOURCE_EXHAUSTED", message: "no paper left" });
  });
  const fault = await assertRejects(() => b.request("node-a", "app.note", { n: 1 }), RgtpError);
  assertEquals([fault.data.rnp, fault.message], [5000, "'node-a' says: the roof is on fire"]);
  const full = await assertRejects(() => b.request("node-a", "app.note", { n: 2 }), RgtpError);
  assertEquals([full.data.rnp, full.message], [3000, "'node-a' says: no paper left"]);
  a.handle("app.note", async () => await Promise.reject(new Error("later")));
  assertStringIncludes(
    (await assertRejects(() => b.request("node-a", "app.note", { n: 3 }), RgtpError)).message,
    "later",
  );
});

Deno.test("rnp nodes: handlers that take their time keep the order of a channel, unless they may run at once", async () => {
  await using nodes = await two();
  const { a, b } = nodes;
  const done: number[] = [];
  const slow = async ({ n }: { readonly n: number }) => {
    await new Promise((resolve) => setTimeout(resolve, n === 0 ? 60 : 1));
    done.push(n);
  };
  a.handle("app.note", slow as never);
  await Promise.all(numbers(4).map((n) => b.send("node-a", "app.note", { n })));
  assertEquals(done, [0, 1, 2, 3]);
  done.length = 0;
  a.handle("app.note", slow as never, { concurrent: true });
  await Promise.all(numbers(4).map((n) => b.send("node-a", "app.note", { n })));
  assertEquals(done, [1, 2, 3, 0]);
});

Deno.test("rnp nodes: a megabyte of bytes, compressed text, and a message that is too long", async () => {
  await using nodes = await two();
  const { a, b } = nodes;
  const sizes: number[] = [];
  a.handle("fs.replicate", ({ chunk_data }) => void sizes.push(chunk_data.length));
  const data = { file_id: "f", chunk_id: 0, checksum: "sha256:0" };
  const noise = new Uint8Array(1 << 20);
  for (let at = 0; at < noise.length; at += 65_536) crypto.getRandomValues(noise.subarray(at, at + 65_536));
  for (const chunk_data of [noise, "text ".repeat(300_000), new Uint8Array(16_000_000)]) {
    await b.send("node-a", "fs.replicate", { ...data, chunk_data }, { pool: "data", channel: "bulk" });
  }
  assertEquals(sizes, [1 << 20, 1_500_000, 16_000_000]);
  assertThrows(
    () => b.post("node-a", "fs.replicate", { ...data, chunk_data: new Uint8Array(16_777_217) }),
    RangeError,
  );
});

Deno.test("rnp nodes: bulk comes as it was sent when its handler lends its memory back, also one that takes its time", async () => {
  await using nodes = await two();
  const { a, b } = nodes;
  const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const [sent, got]: [string[], string[]] = [[], []];
  const kept: Uint8Array[] = [];
  a.handle("fs.replicate", async ({ chunk_id, chunk_data }) => {
    if (chunk_id % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
    got.push(hash(chunk_data as Uint8Array));
    kept.push(chunk_data as Uint8Array);
  }, { borrows: true });
  for (let chunk_id = 0; chunk_id < 40; chunk_id++) {
    const chunk_data = randomBytes(200_000 + 30_000 * (chunk_id % 5));
    sent.push(hash(chunk_data));
    const data = { file_id: "f", chunk_id, chunk_data, checksum: "sha256:0" };
    if (!b.post("node-a", "fs.replicate", data, { pool: "data", channel: "bulk" })) await b.room("node-a");
  }
  await until(() => got.length === 40, "all have come");
  assertEquals(got, sent);
  // What was lent back is gone for whoever kept it, rather than another message's bytes.
  await until(() => kept.some(({ length }) => length === 0), "the first memory was lent back");
});

Deno.test("rnp nodes: slow handlers hold the sender back, and every message arrives", async () => {
  await using nodes = await two();
  const { a, b } = nodes;
  const filler = new Uint8Array(100_000);
  let handled = 0;
  a.handle("app.note", async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    handled++;
  });
  let waits = 0;
  for (let n = 0; n < 300; n++) {
    if (b.post("node-a", "app.note", { n, filler })) continue;
    waits++;
    await b.room("node-a");
  }
  await b.send("node-a", "app.note", { n: 300 });
  assertEquals(handled, 301);
  assert(waits > 0, "30 MB went through without a wait");
});

Deno.test("rnp nodes: forty disconnects while thousands of notes go both ways: each arrives once, in order", async () => {
  const retry = { ...defaultRetry, attemptsMax: 20, delayMsMax: 100 };
  const a = await listeningNode("node-a", { retry });
  await using relay = new Relay(a.address!.port);
  const port = await relay.listen();
  const b = await startNode({
    credentials: await credentialsOf("node-b"),
    peers: { "node-a": { host: "127.0.0.1", port } },
    retry,
  });
  const seen = new Map<ClusterNode, number[]>([[a, []], [b, []]]);
  for (const [node, notes] of seen) {
    node.define("app.note", note);
    node.handle("app.note", ({ n }) => void notes.push(Number(n)));
  }
  const random = seededRandom(1, "cuts");
  const sends: Promise<void>[] = [];
  let n = 0;
  for (let cuts = 0; relay.cuts < 40 && cuts < 400; cuts++) {
    for (let i = 0; i < 40; i++, n++) {
      sends.push(b.send("node-a", "app.note", { n }));
      // The other node knows no address: it speaks when the first link is there, over those that are opened to it.
      if (n === 0) await sends[0];
      sends.push(a.send("node-b", "app.note", { n }));
    }
    await new Promise((resolve) => setTimeout(resolve, random.integer(30)));
    relay.cut();
  }
  await Promise.all(sends);
  assert(relay.cuts >= 40 && n > 1000, `${relay.cuts} cuts, ${n} notes`);
  assertEquals(seen.get(a), numbers(n));
  assertEquals(seen.get(b), numbers(n));
  await Promise.all([a.close(), b.close()]);
});

Deno.test("rnp nodes: a new certificate takes over without a message lost; one of another node is refused", async () => {
  await using nodes = await two();
  const { a, b } = nodes;
  const seen: number[] = [];
  a.handle("app.note", ({ n }) => void seen.push(Number(n)));
  const sends: Promise<void>[] = [];
  const [forA, forB] = [await credentialsOf("node-a"), await credentialsOf("node-b")];
  for (let n = 0; n < 400; n++) {
    sends.push(b.send("node-a", "app.note", { n }));
    if (n === 100) b.renew(forB);
    if (n === 200) a.renew(forA);
    if (n % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(sends);
  assertEquals(seen, numbers(400));
  await until(() => b.peers[0].links === 1, "the old link is gone");
  assertThrows(() => b.renew(forA), RgtpError, "this node is 'node-b'");
});

Deno.test("rnp nodes: close says goodbye; what nobody has acknowledged fails; nothing works after it", async () => {
  const nodes = await two();
  const { a, b } = nodes;
  a.handle("app.note", () => new Promise(() => {}));
  const waiting = b.send("node-a", "app.note", { n: 1 });
  await until(() => (a.peers[0]?.isReachable ?? false) && b.peers[0].links > 0, "linked");
  const failed = assertRejects(() => waiting, RgtpError, "closed before the peer had acknowledged");
  await b.close(50);
  await failed;
  await assertRejects(() => b.send("node-a", "app.note", { n: 2 }), RgtpError, "this node is closed");
  await b.close();
  await until(() => a.peers[0].links === 0, "the other one has closed as well");
  assertEquals(a.troubles, []);
  await nodes[Symbol.asyncDispose]();
});

Deno.test("rnp nodes: close waits for what was sent to be acknowledged, also when no link was there yet", async () => {
  await using nodes = await two();
  const { a, b } = nodes;
  const seen: number[] = [];
  a.handle("app.note", async ({ n }) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    seen.push(Number(n));
  });
  for (const n of numbers(50)) b.post("node-a", "app.note", { n });
  await b.close();
  assertEquals(seen, numbers(50));
});

Deno.test("rnp nodes: handlers may send, and their mistakes are theirs", async () => {
  await using nodes = await two();
  const { a, b } = nodes;
  const seen: number[] = [];
  b.handle("app.note", ({ n }) => void seen.push(Number(n)));
  a.handle("app.note", ({ n }) => {
    // A mistake of the handler: it hears of it, and so does whoever has asked.
    a.post("node-b", "app.note", { n: Number(n) - 1 });
  });
  for (const n of [1, 2, 3]) await b.request("node-a", "app.note", { n }, { timeoutMs: 100 }).catch(() => {});
  assertEquals(seen, [0, 1, 2]);
  const error = await assertRejects(() => b.request("node-a", "app.note", { n: 0 }), RgtpError);
  assertStringIncludes(error.message, "data.n is not: count");
});

Deno.test("rnp nodes: mistakes of a caller are named at once", async () => {
  await using nodes = await two();
  const { b } = nodes;
  await assertRejects(() => b.send("node-b", "app.note", { n: 1 }), RangeError, "no ID of another node");
  await assertRejects(() => b.send("node-a", "app.note", { n: -1 }), RangeError, "data.n");
  assertThrows(() => b.define("app.note", note), RangeError, "already");
  assertThrows(() => b.define("Note", note), RangeError, "no name for a type");
  assertThrows(() => b.handle("app.unknown", () => {}), RangeError, "define it first");
  const retry = { ...defaultRetry, attemptsMax: 2 };
  await using hasty = await startNode({ credentials: await credentialsOf("node-c"), retry });
  hasty.define("app.note", note);
  const lost = await assertRejects(() => hasty.send("node-x", "app.note", { n: 1 }), RgtpError);
  assertEquals([lost.condition, lost.data.rnp], ["TIMEOUT", 5001]);
  assertStringIncludes(lost.message, "nobody has said where 'node-x' is");
});

Deno.test("rnp nodes: two processes with folders of an authority; a rotated certificate is taken over while they talk", async () => {
  const folder = await Deno.makeTempDir({ prefix: "rnp-" });
  try {
    await initAuthority(folder, "two");
    for (const id of ["node-a", "node-b"]) await issueNode(folder, id);
    await using process = new BenchProcess("tests/real/_rnp_node.ts", [`${folder}/nodes/node-a`]);
    const port = Number(await process.line());
    const { credentials, secret } = await readNodeFolder(`${folder}/nodes/node-b`);
    await using b = await startNode({
      credentials,
      secret,
      peers: { "node-a": { host: "127.0.0.1", port } },
    });
    b.define("app.note", note);
    b.define("app.seen", record({ notes: listOf(count) }));
    b.define("app.stop", record({}));
    const ended = new AbortController();
    const following = followNodeFolder(b, `${folder}/nodes/node-b`, ended.signal, 20);
    const before = b.certificate;
    const sends: Promise<void>[] = [];
    for (let n = 0; n < 200; n++) {
      sends.push(b.send("node-a", "app.note", { n }));
      if (n === 50) assertEquals((await rotateNodes(folder)).length, 0);
      if (n === 51) {
        assertEquals((await rotateNodes(folder, { force: true })).map(({ nodeId }) => nodeId), [
          "node-a",
          "node-b",
        ]);
      }
      if (n === 150) await until(() => b.certificate !== before, "the new certificate is taken over");
    }
    await Promise.all(sends);
    const seen = await b.request("node-a", "app.stop", {});
    assertEquals(seen.data, { notes: numbers(200) });
    await process.ended();
    ended.abort();
    await following;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("rnp nodes: five nodes join through any of them, find each other, and one leaves", async () => {
  const nodes: ClusterNode[] = [];
  const memberships: Membership[] = [];
  const left: string[] = [];
  for (const id of ["node-a", "node-b", "node-c", "node-d", "node-e"]) {
    const node = await listeningNode(id);
    const seed = nodes.at(-1)?.address;
    const onChange = ({ node, state }: MemberUpdate) => void (state === "left" && left.push(node));
    memberships.push(await joinCluster(node, { ...(seed && { seed }), onChange }));
    nodes.push(node);
  }
  const alive = (of: Membership) => of.members.filter(({ state }) => state === "alive").length;
  await until(() => memberships.every((one) => alive(one) === 5), "all know all", 20_000);
  // Nobody was told where the others are but by the cluster.
  assert(await nodes[0].ping("node-e") < 10_000);
  memberships[2].leave("shutdown", "node-a");
  await nodes[2].close();
  const staying = memberships.filter((_, i) => i !== 2);
  await until(() => staying.every((one) => alive(one) === 4), "all know that it has left", 20_000);
  assertEquals(left, new Array(4).fill("node-c"));
  for (const one of staying) one.end();
  await Promise.all(nodes.map((node) => node.close()));
});

Deno.test("rnp nodes: certificates are made anew from 300 days on", async () => {
  const folder = await Deno.makeTempDir({ prefix: "rnp-" });
  try {
    await initAuthority(folder);
    const day = 86_400_000;
    const now = Date.now();
    await issueNode(folder, "node-a", now - 299 * day);
    await issueNode(folder, "node-b", now - 301 * day);
    assertEquals((await rotateNodes(folder, { now })).map(({ nodeId }) => nodeId), ["node-b"]);
    assertEquals(await rotateNodes(folder, { now }), []);
    await assertRejects(() => rotateNodes(folder, { nodeIds: ["node-x"] }), RgtpError, "cannot read");
    await assertRejects(() => initAuthority(folder), RgtpError, "there is an authority");
    await assertRejects(() => issueNode(folder, "node-a"), RgtpError, "has a certificate already");
    await assertRejects(() => issueNode(folder, "../node"), RgtpError, "cannot be a node's ID");
    if (Deno.build.os !== "windows") {
      for (const path of ["authority.key", "secret", "nodes/node-a/key.pem", "nodes/node-a/secret"]) {
        assertEquals((await Deno.stat(`${folder}/${path}`)).mode! & 0o777, 0o600, path);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("rnp nodes: at a pace of 20 a node that ends without a word is found dead long before sixteen seconds; a pace of nothing is refused", async () => {
  const nodes = [await listeningNode("node-a"), await listeningNode("node-b"), await listeningNode("node-c")];
  const memberships: Membership[] = [];
  for (const [i, node] of nodes.entries()) {
    const seed = nodes[i - 1]?.address;
    memberships.push(await joinCluster(node, { pace: 20, ...(seed && { seed }) }));
  }
  const sees = (by: number, id: string) => memberships[by].members.find(({ node }) => node === id)?.state;
  await until(() => [0, 1].every((by) => sees(by, "node-c") === "alive"), "joined");
  memberships[2].end();
  await nodes[2].close();
  // Within the timeline at most 1.1 s; at the pace of RNP it would take sixteen at least.
  await until(() => [0, 1].every((by) => sees(by, "node-c") === "dead"), "found dead", 9000);
  await assertRejects(() => joinCluster(nodes[2], { pace: 0 }), RangeError, "a pace of 0");
  for (const one of memberships) one.end();
  await Promise.all(nodes.map((node) => node.close()));
});
