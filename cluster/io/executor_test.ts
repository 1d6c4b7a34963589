import { RgtpError } from "../../core/errors.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../tests/_assert.ts";
import type { InstancePlan } from "../protocol/instances.ts";
import { commandExecutor } from "./executor.ts";

/*
 * Instances are processes of this machine: `sh` is enough for all of them.
 */

const ignore = Deno.build.os === "windows";
const test = (what: string, fn: () => Promise<void>) => Deno.test({ name: `executor: ${what}`, fn, ignore });

const folder = await Deno.makeTempDir({ prefix: "rnp-run-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

let number = 0;

function plan(args: readonly string[], more: Partial<InstancePlan> = {}): InstancePlan {
  const instance_id = `inst-${++number}`;
  const resources = { cpu_percent: 0, ram_mb: 0, disk_mb: 0 };
  return { instance_id, name: instance_id, script: "sh", args: ["-c", ...args], resources, ...more };
}

function output({ instance_id }: InstancePlan): Promise<string> {
  return Deno.readTextFile(`${folder}/${instance_id}/output.log`);
}

test("a program runs in a folder of its own with its arguments and variables, and its end is told", async () => {
  const executor = await commandExecutor(folder, "node-1");
  const what = plan(['pwd; echo "$1 $COLOUR"; exit 3', "sh", "a b"], { env: { COLOUR: "red" } });
  const running = await executor.start(what, "127.0.0.1");
  assert(running.pid > 0 && running.startupMs > 0);
  const { exitCode, reason, runtimeSeconds } = await running.ended;
  assertEquals([exitCode, reason], [3, "exited"]);
  assert(runtimeSeconds >= 0);
  assertEquals(await output(what), `${await Deno.realPath(`${folder}/${what.instance_id}`)}\na b red\n`);
});

test("variables of the node's own process are not those of its instances", async () => {
  Deno.env.set("RNP_TEST_SECRET", "1");
  const executor = await commandExecutor(folder, "node-1");
  const what = plan(["env"]);
  await (await executor.start(what, "127.0.0.1")).ended;
  Deno.env.delete("RNP_TEST_SECRET");
  assertEquals((await output(what)).includes("RNP_TEST_SECRET"), false);
});

test("one that is told to stop ends", async () => {
  const executor = await commandExecutor(folder, "node-1");
  const running = await executor.start(plan(["exec sleep 60"]), "127.0.0.1");
  const { exitCode, reason } = await running.stop();
  assertEquals([exitCode, reason], [143, "terminated"]);
});

test("a program that is not there, or may not run, is refused with its name", async () => {
  const executor = await commandExecutor(folder, "node-1");
  await Deno.writeTextFile(`${folder}/plain.txt`, "no program");
  for (
    const [script, code, text] of [
      ["no-such-program-here", 4000, "'no-such-program-here' is not there"],
      [`${folder}/absent`, 4000, "is not there"],
      [`${folder}/plain.txt`, 2001, "cannot be executed"],
    ] as const
  ) {
    const error = await assertRejects(
      () => executor.start(plan([], { script, args: [] }), "127.0.0.1"),
      RgtpError,
    );
    assertEquals(error.data.rnp, code);
    assertStringIncludes(error.message, text);
  }
});

test("a service that ends before it listens is no service", async () => {
  const executor = await commandExecutor(folder, "node-1");
  const service = { service_name: "none", version: "1", protocol: "tcp", port: 1 };
  const error = await assertRejects(
    () => executor.start(plan(["exit 4"], { service }), "127.0.0.1"),
    RgtpError,
  );
  assertStringIncludes(error.message, "ended with status 4 before anybody listened on 127.0.0.1:1");
});

test("memory is limited where the machine lets us, and what holds it is said", async () => {
  const executor = await commandExecutor(folder, "node-1");
  const { memory } = executor.confinement;
  assert(["cgroup", "rlimit", "none"].includes(memory));
  if (memory === "none") return;
  // 200 MB in one variable, where 20 are allowed.
  const hungry = plan(['x=$(head -c 200000000 /dev/zero | tr "\\0" a); echo ${#x}'], {
    resources: { cpu_percent: 0, ram_mb: 20, disk_mb: 0 },
  });
  const { exitCode } = await (await executor.start(hungry, "127.0.0.1")).ended;
  assert(exitCode !== 0, "it had 200 MB");
  assertEquals((await output(hungry)).includes("200000000"), false);
});
