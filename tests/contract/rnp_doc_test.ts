/*
 * docs/rnp.md says what the code does: layouts, numbers, data of messages, attempts, limits.
 */
import { cipherSuites } from "../../cluster/io/tls.ts";
import { NODE_DAYS, ROTATE_DAYS } from "../../cluster/io/authority.ts";
import { defaultPools } from "../../cluster/protocol/channels.ts";
import { RnpErrorCode } from "../../cluster/protocol/errors.ts";
import {
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FrameFlag,
  frameHeaderLayout,
} from "../../cluster/protocol/frame.ts";
import * as timeline from "../../cluster/protocol/membership/timeline.ts";
import { messageTypes } from "../../cluster/protocol/message_types.ts";
import { defaultRetry, retryDelay } from "../../cluster/protocol/retry.ts";
import { describe } from "../../cluster/protocol/schema.ts";
import { limits } from "../../core/limits.ts";
import { projectText } from "../../tools/project_files.ts";
import { assertEquals, assertStringIncludes } from "../_assert.ts";

const page = projectText("docs/rnp.md");
const text = page.replaceAll(/\s+/g, " ");

/** Rows of the table behind a comment, cell by cell. */
function table(comment: string): string[][] {
  const found = new RegExp(`<!-- ${comment} -->\\n\\n((?:\\|.*\\|\\n)+)`).exec(page);
  assertEquals(found !== null, true, `no table behind '${comment}'`);
  return rowsOf(found![1]).slice(2);
}

function rowsOf(lines: string): string[][] {
  return lines.trim().split("\n").map((line) =>
    line.slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("`", ""))
  );
}

Deno.test("rnp page: the frame's header is that of the code", () => {
  const rows = table("layout: frameHeaderLayout");
  const fields = frameHeaderLayout.fields.map(({ name, offset, size }) => [`${offset}`, `${size}`, name]);
  assertEquals(rows.map((row) => row.slice(0, 3)), [...fields, [`${FRAME_HEADER_BYTES}`, "n", "payload"]]);
  assertEquals(FRAME_MAGIC.toString(16), rows[0][3].slice(0, 11).replaceAll(" ", ""));
});

for (const [name, numbers] of Object.entries({ FrameFlag, RnpErrorCode, defaultPools })) {
  Deno.test(`rnp page: ${name}: numbers and names are those of the code`, () => {
    assertEquals(
      table(`numbers: ${name}`).map(([number, name]) => [name, Number(number)]),
      Object.entries(numbers),
    );
  });
}

Deno.test("rnp page: every message is there, with the data that the code demands, and no other", () => {
  const shown = Array.from(page.matchAll(/^\| `([a-z_.]+)` +\| [^|]+ \| [^|]+ \| `(\{.*\})` +\|$/gm));
  assertEquals(
    shown.map(([, type, data]) => [type, data]),
    Object.entries(messageTypes).map(([type, schema]) => [type, describe(schema)]),
  );
});

Deno.test("rnp page: attempts come when the code makes them", () => {
  const shown = table("attempts").map(([attempt, after]) => [Number(attempt), after]);
  const expected = Array.from({ length: defaultRetry.attemptsMax }, (_, i) => {
    const delay = retryDelay(defaultRetry, i + 1);
    return [i + 1, delay === 0 ? "at once" : `${delay} ms`];
  });
  assertEquals(shown, expected);
  assertEquals(retryDelay(defaultRetry, defaultRetry.attemptsMax + 1), undefined);
  assertStringIncludes(text, `never more than ${defaultRetry.delayMsMax / 1000} s`);
});

Deno.test("rnp page: the timeline is that of the code", () => {
  const times = [timeline.HEARTBEAT_MS + timeline.LATE_MS];
  for (const ms of [timeline.PROBE_AFTER_MS, timeline.PROBE_MS, timeline.VERDICT_MS]) {
    times.push(times.at(-1)! + ms);
  }
  assertEquals(table("timeline").slice(0, 4).map(([after]) => after), times.map((ms) => `${ms / 1000} s`));
  for (
    const phrase of [
      `else ${timeline.ALONE_MS / 1000} s later`,
      `up to ${timeline.UPDATES_MAX} in a message`,
      `Every ${timeline.ANNOUNCE_MS / 1000} s each node announces`,
      `${timeline.FAN_OUT * 1000 / timeline.HEARTBEAT_MS} messages a second`,
    ]
  ) assertStringIncludes(text, phrase);
});

Deno.test("rnp page: figures in its text are those of the code", () => {
  const number = (value: number) => value.toLocaleString("en");
  const seconds = (ms: number) => `${ms / 1000} s`;
  const said = [
    cipherSuites.map((suite) => `\`${suite}\``).join(", "),
    `good for ${NODE_DAYS} days`,
    `From ${ROTATE_DAYS} days on`,
    `1 to ${limits.nodeIdCharsMax} characters of`,
    `At most ${number(limits.rnpConnectionsMax)} links`,
    `are at most ${limits.rnpGreetingsMax}, and have ${seconds(limits.rnpGreetingMsMax)} for the handshake`,
    `no message for ${seconds(limits.rnpIdleMsMax)}`,
    `hears nothing for ${seconds(limits.rnpKeepaliveMs)}`,
    `nothing comes for ${seconds(limits.rnpKeepaliveAnswerMsMax)} more`,
    `at most ${number(limits.rnpPayloadBytesMax)}; before the greeting ${number(limits.rnpGreetingBytesMax)}`,
    `has ${seconds(limits.rnpFrameMsMax)} to come whole, and a second more for each ${
      number(limits.rnpFrameBytesPerSecond)
    } bytes`,
    `payloads of more than ${number(limits.rnpCompressBytesMin)} bytes`,
    `more than ${limits.rnpDepthMax} deep`,
    `more than ${number(limits.rnpValuesMax)} values`,
    `at most ${limits.rnpTypeCharsMax} characters: words`,
    `1 to ${limits.rnpChannelCharsMax} characters; with`,
    `may be ${seconds(limits.rnpClockSkewMsMax)} from`,
    `All of it has ${seconds(limits.rnpGreetingMsMax)}`,
    `\`window\`, ${number(limits.rnpWindowBytesMin)} to ${number(limits.rnpWindowBytesMax)}`,
    `After ${seconds(limits.rnpGoodbyeMsMax)} the first one`,
    `at most ${limits.rnpChannelsMax} channels`,
    `when ${number(limits.rnpAckBytesMax)} bytes were handled, else ${limits.rnpAckDelayMs} ms after`,
    `begins with ${number(limits.rnpWindowBytesMin)} on each link`,
    `the last ${number(limits.rnpSeenIdsMax)} IDs`,
    `at most ${number(limits.rnpQueueBytesMax)} bytes that wait`,
    `from ${number(limits.rnpQueueHighBytesMax)} on`,
  ];
  for (const phrase of said) assertStringIncludes(text, phrase);
});
