import { assert, assertEquals } from "../_assert.ts";
import { fuzzFrames } from "./rnp_frames.ts";

for (const seed of [1, 2]) {
  Deno.test(`fuzz: damaged frames end a link with an error, or are messages; nothing throws (seed ${seed})`, () => {
    const sums = fuzzFrames(seed, 15_000);
    assertEquals(sums.frames >= 15_000, true);
    // The run has been everywhere: behind the envelope, and at each kind of refusal that a frame can meet.
    assert(sums.delivered > 500, JSON.stringify(sums));
    for (const code of ["PROTOCOL_ERROR", "VERSION_MISMATCH", "AUTH_FAILED"]) {
      assert(sums.codes[code] > 10, `${code}: ${JSON.stringify(sums)}`);
    }
  });
}
