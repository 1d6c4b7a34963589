import { RgtpError } from "../core/errors.ts";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import type { LinkFlags } from "./_link_flag.ts";
import { linkOptions } from "./_link_flag.ts";

const none: LinkFlags = { link: undefined, interface: undefined, vlan: undefined };
const ethernet: LinkFlags = { ...none, link: "ethernet", interface: "eth0" };

Deno.test("link flags: what they choose", () => {
  assertEquals(linkOptions(none), {});
  assertEquals(linkOptions({ ...none, link: "node_dgram" }), { link: "node_dgram" });
  assertEquals(linkOptions(ethernet), { link: "ethernet", interface: "eth0" });
  const vlans = [["100", 100, 0], ["100:5", 100, 5], ["0:7", 0, 7], ["4094:0", 4094, 0]] as const;
  for (const [text, id, priority] of vlans) {
    assertEquals(linkOptions({ ...ethernet, vlan: text }).vlan, { id, priority });
  }
});

Deno.test("link flags: what does not go together is refused", () => {
  const refused: [LinkFlags, string][] = [
    [{ ...none, link: "ethernet" }, "--interface"],
    [{ ...none, interface: "eth0" }, "--interface belongs to --link ethernet"],
    [{ ...none, link: "linux_udp", vlan: "1" }, "--vlan belongs to --link ethernet"],
    ...["", "4095", "1:8", "-1", "a", "1:", ":1", "1:2:3", "0x1", "1 ", "\u001b[2J"].map((
      vlan,
    ): [LinkFlags, string] => [{ ...ethernet, vlan }, "ID:PRIORITY"]),
  ];
  for (const [flags, says] of refused) {
    const error = assertThrows(() => linkOptions(flags), RgtpError, says);
    assertEquals(error.condition, "INVALID_ARG");
    assertEquals(error.message.includes("\u001b"), false);
  }
});
