import fc from "fast-check";
import { concatBytes } from "../core/mod.ts";
import { assert, assertEquals, assertThrows } from "../tests/_assert.ts";
import { own } from "../tests/vectors/_load.ts";
import { slowPath, slowProof, slowRoot, splitHashes } from "./_slow_merkle.ts";
import {
  consistencyProof,
  inclusionProof,
  inclusionProofLength,
  leafHash,
  merkleLevels,
  merkleRoot,
  nodeHash,
  pathOf,
  verifyConsistency,
  verifyInclusion,
} from "./merkle.ts";
import { nativeEngine } from "./native_engine.ts";
import { portableEngine } from "./portable_engine.ts";

const hash = nativeEngine.sha256;
const SIZES = Array.from({ length: 65 }, (_, n) => n);

/** The hashes of n leaves that differ. */
function leavesOf(n: number): Uint8Array<ArrayBuffer> {
  return concatBytes(...Array.from({ length: n }, (_, i) => leafHash(hash, Uint8Array.of(i, i >> 8))));
}

/** Every list that one changed bit, or one hash more or less, makes of `bytes`. */
function* spoiled(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 11) {
    const changed = Uint8Array.from(bytes);
    changed[at] ^= 1 << (at % 8);
    yield changed;
  }
  yield concatBytes(bytes, new Uint8Array(32));
  yield concatBytes(new Uint8Array(32), bytes);
  if (bytes.length > 0) yield bytes.subarray(32);
  if (bytes.length > 0) yield bytes.subarray(0, -32);
  yield concatBytes(bytes, new Uint8Array(1));
}

Deno.test("the reference tree of Certificate Transparency has its published roots", () => {
  const { leaves, roots } = own<{ leaves: string[]; roots: string[] }>("merkle.json");
  for (const engine of [nativeEngine, portableEngine]) {
    const hashes = leaves.map((data) => leafHash(engine.sha256, Uint8Array.fromHex(data)));
    for (let size = 0; size <= 8; size++) {
      const root = merkleRoot(engine.sha256, concatBytes(...hashes.slice(0, size)));
      assertEquals(root.toHex(), roots[size]);
      assertEquals(slowRoot(engine.sha256, hashes.slice(0, size)).toHex(), roots[size]);
    }
  }
});

Deno.test("inclusion proofs of all leaves of all small trees equal the definition's, and hold", () => {
  for (const size of SIZES.slice(1)) {
    const leaves = leavesOf(size);
    const root = merkleRoot(hash, leaves);
    const list = splitHashes(leaves);
    assertEquals(root, slowRoot(hash, list));
    const levels = merkleLevels(hash, leaves);
    for (let index = 0; index < size; index++) {
      const proof = inclusionProof(hash, leaves, index);
      assertEquals(proof, concatBytes(...slowPath(hash, index, list)));
      assertEquals(pathOf(levels, index), proof);
      assertEquals(inclusionProofLength(size, index), proof.length / 32);
      assert(verifyInclusion(hash, root, size, index, list[index], proof));
      for (let other = 0; other < size; other++) {
        const itself = other === index;
        assert(verifyInclusion(hash, root, size, other, list[index], proof) === itself);
        assert(verifyInclusion(hash, root, size, index, list[other], proof) === itself);
      }
    }
  }
});

Deno.test("inclusion proofs of all small trees do not hold when anything is changed", () => {
  for (const size of [1, 2, 3, 7, 8, 13, 64]) {
    const leaves = leavesOf(size);
    const root = merkleRoot(hash, leaves);
    for (const index of [0, size >> 1, size - 1]) {
      const leaf = leaves.subarray(index * 32, index * 32 + 32);
      const proof = inclusionProof(hash, leaves, index);
      for (const bad of spoiled(proof)) assert(!verifyInclusion(hash, root, size, index, leaf, bad));
      for (const bad of spoiled(leaf)) assert(!verifyInclusion(hash, root, size, index, bad, proof));
      for (const bad of spoiled(root)) assert(!verifyInclusion(hash, bad, size, index, leaf, proof));
      for (const bad of [-1, size, size + 1, 0.5, NaN, Infinity]) {
        assert(!verifyInclusion(hash, root, size, bad, leaf, proof));
      }
      assert(!verifyInclusion(hash, root, 0, index, leaf, proof));
      assert(!verifyInclusion(hash, root, NaN, index, leaf, proof));
    }
  }
});

Deno.test("a proof for one size holds for another one only where the path is the same", () => {
  for (const size of SIZES.slice(1, 34)) {
    const leaves = leavesOf(size);
    const [root, list, levels] = [merkleRoot(hash, leaves), splitHashes(leaves), merkleLevels(hash, leaves)];
    for (let claimed = 1; claimed <= 36; claimed++) {
      for (let index = 0; index < Math.min(size, claimed); index++) {
        const proof = pathOf(levels, index);
        const holds = verifyInclusion(hash, root, claimed, index, list[index], proof);
        if (claimed === size) assert(holds);
        // The size itself is not hashed: it is trusted because the manifest holds it beside the root.
        else if (holds) assertEquals(inclusionProofLength(claimed, index), proof.length / 32);
      }
    }
  }
});

Deno.test("consistency proofs between all small trees equal the definition's, and hold", () => {
  const roots = SIZES.map((size) => merkleRoot(hash, leavesOf(size)));
  for (const second of SIZES) {
    const leaves = leavesOf(second);
    for (let first = 0; first <= second; first++) {
      const proof = consistencyProof(hash, leaves, first);
      if (first > 0) assertEquals(proof, concatBytes(...slowProof(hash, first, splitHashes(leaves))));
      assert(verifyConsistency(hash, first, roots[first], second, roots[second], proof));
      if (first === second) continue;
      assert(!verifyConsistency(hash, second, roots[second], first, roots[first], proof));
      assert(!verifyConsistency(hash, first, roots[second], second, roots[second], proof));
      if (first > 0) assert(!verifyConsistency(hash, first, roots[first], second, roots[first], proof));
    }
  }
});

Deno.test("consistency proofs do not hold when anything is changed", () => {
  for (const [first, second] of [[0, 5], [1, 2], [3, 7], [4, 7], [6, 8], [8, 13], [13, 13], [33, 64]]) {
    const [firstRoot, secondRoot] = [merkleRoot(hash, leavesOf(first)), merkleRoot(hash, leavesOf(second))];
    const proof = consistencyProof(hash, leavesOf(second), first);
    for (const bad of spoiled(proof)) {
      assert(!verifyConsistency(hash, first, firstRoot, second, secondRoot, bad));
    }
    for (const bad of spoiled(firstRoot)) {
      assert(!verifyConsistency(hash, first, bad, second, secondRoot, proof));
    }
    // The empty tree is a prefix of any.
    for (const bad of first === 0 ? [] : spoiled(secondRoot)) {
      assert(!verifyConsistency(hash, first, firstRoot, second, bad, proof));
    }
    for (const bad of [-1, NaN, 0.5, second + 1]) {
      assert(!verifyConsistency(hash, bad, firstRoot, second, secondRoot, proof));
    }
  }
});

Deno.test("a tree whose past was changed has no proof", () => {
  const hashes = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(fc.array(hashes, { minLength: 2, maxLength: 40 }), fc.nat(), fc.nat(), (list, a, b) => {
      const first = 1 + a % (list.length - 1);
      const changed = list.map((leaf) => Uint8Array.from(leaf));
      changed[b % first][0] ^= 1;
      const [before, after] = [concatBytes(...list.slice(0, first)), concatBytes(...changed)];
      const proof = consistencyProof(hash, after, first);
      return !verifyConsistency(
        hash,
        first,
        merkleRoot(hash, before),
        changed.length,
        merkleRoot(hash, after),
        proof,
      );
    }),
  );
});

Deno.test("a node does not pass for a leaf", () => {
  const [a, b] = splitHashes(leavesOf(2));
  const node = nodeHash(hash, a, b);
  assert(leafHash(hash, concatBytes(a, b)).toHex() !== node.toHex());
  assertEquals(merkleRoot(hash, concatBytes(a, b)), node);
});

Deno.test("lists and indices that are not there are a caller's mistake", () => {
  assertThrows(() => merkleRoot(hash, new Uint8Array(33)), RangeError, "33 bytes");
  assertThrows(() => inclusionProof(hash, leavesOf(3), 3), RangeError, "no leaf 3 among 3");
  assertThrows(() => inclusionProof(hash, leavesOf(0), 0), RangeError);
  assertThrows(() => inclusionProof(hash, leavesOf(3), -1), RangeError);
  assertThrows(() => consistencyProof(hash, leavesOf(3), 4), RangeError, "no tree of 4");
  assertEquals(inclusionProofLength(3, 3), 0);
  assertEquals(merkleLevels(hash, leavesOf(0)), []);
});

Deno.test("sizes beyond 32 bits are handled", () => {
  const size = 2 ** 33 + 1;
  const [leaf, left] = splitHashes(leavesOf(2));
  assertEquals(inclusionProofLength(size, size - 1), 1);
  assert(verifyInclusion(hash, nodeHash(hash, left, leaf), size, size - 1, leaf, left));
});
