import { assert, assertEquals, assertMatch } from "../../tests/_assert.ts";
import { silence, silenceError } from "./pull_failures.ts";
import type { SilenceFacts } from "./pull_failures.ts";

const facts: SilenceFacts = {
  isGranted: false,
  hasAnswered: false,
  isOtherVersion: false,
  isWrongExposer: false,
  addresses: "192.0.2.7:9000, [2001:db8::7]:9000",
  heard: "",
  strangers: "",
  network: "",
  source: "192.0.2.7:9000",
};

Deno.test("silence: what is known decides what is said", () => {
  const cases: readonly (readonly [Partial<SilenceFacts>, string, RegExp])[] = [
    [
      {},
      "TIMEOUT",
      /no answer from 192.*db8::7\]:9000: nothing is exposed .* UDP is blocked .*'rgtp doctor 192\.0\.2\.7:9000'/,
    ],
    [
      { addresses: "eth:02:00:5e:10:00:01:9000" },
      "TIMEOUT",
      /nothing is exposed .* another cable or in another VLAN/,
    ],
    [{ network: "no route" }, "TIMEOUT", /:9000 \(no route\): nothing/],
    [{ heard: "192.0.2.7:9000" }, "TIMEOUT", /^192\.0\.2\.7:9000 answers, but the handshake/],
    [{ heard: "192.0.2.7:9000", strangers: "192.0.2.7:9000" }, "TIMEOUT", /another exposer answers/],
    [{ isOtherVersion: true }, "VERSION", /another version/],
    [{ isWrongExposer: true }, "AUTH_FAIL", /does not hold the key/],
    [{ isGranted: true }, "TIMEOUT", /no longer answers/],
    [{ isGranted: true, hasAnswered: true }, "TIMEOUT", /drops large packets/],
  ];
  for (const [more, condition, says] of cases) {
    const known = silence({ ...facts, ...more });
    assertEquals(known.condition, condition);
    assertMatch(known.what, says);
    const { message } = silenceError(known);
    assert(message.startsWith(known.what) && message.endsWith(known.advice));
  }
});
