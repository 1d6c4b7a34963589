import { RgtpError } from "../../core/errors.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../../tests/_assert.ts";
import { type LinkKind, openLink, udpLinkKinds } from "./open_link.ts";

/** The kinds that this machine and the permissions of this run have. */
const here = await kindsHere();

async function kindsHere(): Promise<LinkKind[]> {
  const kinds: LinkKind[] = [];
  for (const kind of udpLinkKinds) {
    try {
      (await openLink({ host: "127.0.0.1", port: 0, kind })).close();
    } catch (error) {
      if (error instanceof RgtpError && error.condition === "NOT_SUPPORTED") continue;
    }
    kinds.push(kind);
  }
  return kinds;
}

Deno.test("openLink: every kind opens by name, and the default is the first that is here", async () => {
  for (const kind of here) {
    using link = await openLink({ host: "127.0.0.1", port: 0, kind });
    assertEquals(link.kind, kind);
  }
  using link = await openLink({ host: "localhost", port: 0 });
  assertEquals(link.kind, here[0]);
});

Deno.test("openLink: a kind that does not exist", async () => {
  const kind = JSON.parse('"carrier_pigeon"') as LinkKind;
  const error = await assertRejects(
    () => openLink({ host: "127.0.0.1", port: 0, kind }),
    RgtpError,
    "datagram_conn",
  );
  assertEquals(error.condition, "INVALID_ARG");
});

Deno.test("openLink: an address of another machine, and a name that nobody has", async () => {
  for (const kind of here) {
    for (const host of ["203.0.113.77", "nosuch.invalid"]) {
      const error = await assertRejects(() => openLink({ host, port: 0, kind }), RgtpError, host);
      assertEquals(error.condition, "INVALID_ARG");
    }
  }
});

const program = (kind: string) => `
  import { openLink } from ${JSON.stringify(new URL("./open_link.ts", import.meta.url).href)};
  try {
    using link = await openLink({ host: "127.0.0.1", port: 0${kind === "" ? "" : `, kind: "${kind}"`} });
    console.log(link.kind);
  } catch (error) {
    console.log(error.condition, error.message);
  }`;

/** What a program that imports us prints, with no configuration of ours. */
async function outputOf(kind: string, ...flags: string[]): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program(kind));
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", "--no-lock", "--no-prompt", ...flags, file],
      stdin: "null",
    });
    const { stdout, stderr } = await command.output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("openLink: a program without unstable net gets node_dgram, and is told when it insists", async () => {
  assertEquals((await outputOf("", "--allow-net")).trim(), "node_dgram");
  assertEquals((await outputOf("", "--allow-net", "--unstable-net")).trim(), "datagram_conn");
  assertStringIncludes(
    await outputOf("datagram_conn", "--allow-net"),
    "NOT_SUPPORTED this runtime has no Deno.listenDatagram",
  );
});

Deno.test("openLink: without the permission it says which flag", async () => {
  for (const kind of here) {
    assertStringIncludes(
      await outputOf(kind, "--unstable-net", "--allow-ffi"),
      "SOCKET not permitted to bind 127.0.0.1:0: run with --allow-net",
    );
  }
});

Deno.test("openLink: foreign functions are used where Deno permits them, and only there", async () => {
  const whatItNeeds = "NOT_SUPPORTED the link kind linux_udp needs Linux and Deno's permission";
  assertStringIncludes(await outputOf("linux_udp", "--allow-net"), whatItNeeds);
  const expected = here.includes("linux_udp") ? "linux_udp" : "node_dgram";
  // One folder is enough: of the two only one holds the C library.
  assertEquals((await outputOf("", "--allow-net", "--allow-ffi=/lib,/lib64")).trim(), expected);
});
