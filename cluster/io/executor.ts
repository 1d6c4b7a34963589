import { RgtpError } from "../../core/errors.ts";
import { rnpError } from "../protocol/errors.ts";
import type { RnpErrorName, RnpFault } from "../protocol/errors.ts";
import type { InstancePlan } from "../protocol/instances.ts";
import { makeFolder } from "./_files.ts";

/** How an instance has ended. */
export interface Ended {
  /** As shells have it: 128 and more for one that a signal has ended. */
  readonly exitCode: number;
  /** `exited`, `terminated` (it was told to stop), or the signal's name. */
  readonly reason: string;
  /** From its start. */
  readonly runtimeSeconds: number;
}

/** An instance that runs. */
export interface Running {
  /** Its process. */
  readonly pid: number;
  /** Until it ran; with a port, until somebody listened on it. */
  readonly startupMs: number;
  /** Resolves when it has ended. */
  readonly ended: Promise<Ended>;
  /** Asks it to end, and ends it when it has not after a while. */
  stop(): Promise<Ended>;
}

/** What holds an instance to what it may use. */
export interface Confinement {
  /** `cgroup`: what it uses in all; `rlimit`: what each of its processes allocates; `none`: nothing. */
  readonly memory: "cgroup" | "rlimit" | "none";
  /** `cgroup`: its share; `none`: it may use what nobody else does. */
  readonly cpu: "cgroup" | "none";
  /** Whether it ends with its node, however that ends. */
  readonly endsWithNode: boolean;
}

/** Starts instances. */
export interface Executor {
  /** What holds them. */
  readonly confinement: Confinement;
  /**
   * Starts one.
   *
   * @param host where its service is expected to listen
   * @throws {RgtpError} what cannot be run, and why
   */
  start(plan: InstancePlan, host: string): Promise<Running>;
}

/** How long an instance has between being asked to end, and being ended. */
const STOP_MS = 5000;
/** How long a service may take until it listens. */
const LISTEN_MS = 30_000;
const LISTEN_EVERY_MS = 20;

/**
 * Says what the machine lets us do. A control group must be ours to write, and pass memory and processors on. Deno lets nobody but those
 * who may do everything look at /sys; a shell, which has to be permitted anyway, may.
 */
const PROBE = `
root=/sys/fs/cgroup
if [ -w $root/cgroup.subtree_control ] && mkdir -p $root/rgtp 2>/dev/null &&
  echo '+memory +cpu' >$root/cgroup.subtree_control 2>/dev/null &&
  echo '+memory +cpu' >$root/rgtp/cgroup.subtree_control 2>/dev/null; then echo cgroup; fi
(ulimit -d 1048576) 2>/dev/null && echo rlimit
setpriv --pdeathsig KILL true 2>/dev/null && echo pdeathsig
true`;

/**
 * Becomes the program, confined. Arguments: memory in KiB, microseconds of processor in each 100,000, a name for the control group, the
 * file for what it prints, what the machine can do, and the program with its own arguments. It says "ok" when nothing is in the way.
 */
const BECOME = `
memory=$1 cpu=$2 name=$3 log=$4 can=$5
shift 5
case $can in *cgroup*)
  group=/sys/fs/cgroup/rgtp/$name
  mkdir -p $group &&
  if [ $memory -gt 0 ]; then echo $((memory * 1024)) >$group/memory.max; fi &&
  if [ $cpu -gt 0 ]; then echo "$cpu 100000" >$group/cpu.max; fi &&
  echo $$ >$group/cgroup.procs || exit 125 ;;
*rlimit*) if [ $memory -gt 0 ]; then ulimit -d $memory || exit 125; fi ;;
esac
case $1 in
*/*) [ -e "$1" ] || exit 127; [ -x "$1" ] || exit 126 ;;
*) command -v -- "$1" >/dev/null || exit 127 ;;
esac
echo ok
exec >>"$log" 2>&1 </dev/null
case $can in
*pdeathsig*) exec setpriv --pdeathsig KILL -- "$@" ;;
*) exec "$@" ;;
esac`;

/** Removes the control group of an instance that has ended. */
const CLEAN = 'rmdir "/sys/fs/cgroup/rgtp/$1"';

/**
 * Runs instances as processes of this machine: `script` is a program, found as a shell finds it. Each has a folder of its own, where it
 * starts, and where `output.log` holds what it prints. It sees the variables of its plan, `PATH`, `HOME`, where it is
 * (`RNP_NODE`, `RNP_HOST`, `RNP_INSTANCE`), the `PORT` of its service, and nothing else of ours.
 *
 * Needs `--allow-run=sh`, and to read and write the folder.
 *
 * @throws {RgtpError} ACCESS_DENIED without that permission
 */
export async function commandExecutor(folder: string, nodeId: string): Promise<Executor> {
  const found = await shell(PROBE, []).output().catch((cause) => {
    throw new RgtpError("ACCESS_DENIED", `cannot run 'sh', which starts instances: ${cause.message}`, {
      cause,
    });
  });
  const can = new TextDecoder().decode(found.stdout).trim().split(/\s+/).join(",");
  const has = (what: string) => can.split(",").includes(what);
  return {
    confinement: {
      memory: has("cgroup") ? "cgroup" : has("rlimit") ? "rlimit" : "none",
      cpu: has("cgroup") ? "cgroup" : "none",
      endsWithNode: has("pdeathsig"),
    },
    start: async (plan, host) => {
      const place = `${folder}/${plan.instance_id}`;
      await makeFolder(place);
      const group = `${nodeId}.${plan.instance_id}`;
      const { ram_mb, cpu_percent } = plan.resources;
      const numbers = [Math.ceil(ram_mb * 1024), Math.ceil(cpu_percent * 1000)].map(String);
      const started = performance.now();
      const args = [...numbers, group, `${place}/output.log`, can, plan.script, ...plan.args ?? []];
      const given = { RNP_HOST: host, RNP_NODE: nodeId, RNP_INSTANCE: plan.instance_id };
      const port = plan.service && { PORT: `${plan.service.port}` };
      const child = shell(BECOME, args, place, { ...given, ...port, ...plan.env }).spawn();
      const running = new CommandInstance(child, started, () => {
        if (has("cgroup")) void shell(CLEAN, [group]).output();
      });
      await running.settle(plan, host);
      return running;
    },
  };
}

function shell(
  script: string,
  args: readonly string[],
  cwd?: string,
  env: Readonly<Record<string, string>> = {},
): Deno.Command {
  return new Deno.Command("sh", {
    args: ["-c", script, "sh", ...args],
    env: { PATH: "/usr/local/bin:/usr/bin:/bin", ...(cwd !== undefined && { HOME: cwd }), ...env },
    clearEnv: true,
    ...(cwd !== undefined && { cwd }),
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  });
}

class CommandInstance implements Running {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly #child: Deno.ChildProcess;
  readonly #started: number;
  #startupMs = 0;
  #end: Ended | undefined;
  #isStopping = false;

  constructor(child: Deno.ChildProcess, started: number, clean: () => void) {
    this.pid = child.pid;
    this.#child = child;
    this.#started = started;
    this.ended = child.status.then(({ code, signal }) => {
      clean();
      return this.#end = {
        exitCode: code,
        reason: this.#isStopping ? "terminated" : signal ?? "exited",
        runtimeSeconds: (performance.now() - started) / 1000,
      };
    });
  }

  get startupMs(): number {
    return this.#startupMs;
  }

  /** Waits until it runs; with a service, until that listens. */
  async settle({ script, service }: InstancePlan, host: string): Promise<void> {
    // It closes this when it becomes the program.
    const said = await new Response(this.#child.stdout).text();
    if (said === "") throw rnpError(notRun(script, (await this.ended).exitCode));
    const isThere = !service || await listens(host, service.port, () => this.#end !== undefined);
    this.#startupMs = performance.now() - this.#started;
    if (isThere) return;
    const where = `listened on ${host}:${service.port}`;
    if (this.#end) {
      const message = `'${script}' ended with status ${this.#end.exitCode} before anybody ${where}`;
      throw rnpError({ code: "INTERNAL_ERROR", message });
    }
    await this.stop();
    throw rnpError({ code: "TIMEOUT", message: `nobody ${where} in ${LISTEN_MS / 1000} s` });
  }

  async stop(): Promise<Ended> {
    this.#isStopping = true;
    this.#kill("SIGTERM");
    const timer = setTimeout(() => this.#kill("SIGKILL"), STOP_MS);
    try {
      return await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }

  #kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended by itself.
    }
  }
}

/** What the shell says when it cannot become the program. */
const obstacles: Readonly<Record<number, readonly [RnpErrorName, string]>> = {
  125: ["INTERNAL_ERROR", "could not be confined to what it may use"],
  126: ["UNAUTHORIZED", "cannot be executed: look at its permissions"],
  127: ["NOT_FOUND", "is not there: install it on that node, or say its whole path"],
};

function notRun(script: string, status: number): RnpFault {
  const [code, why] = obstacles[status] ?? ["INTERNAL_ERROR", `could not be started: status ${status}`];
  return { code, message: `'${script}' ${why}` };
}

/** Waits until somebody listens on a port. */
async function listens(host: string, port: number, isOver: () => boolean): Promise<boolean> {
  const end = performance.now() + LISTEN_MS;
  while (performance.now() < end && !isOver()) {
    try {
      (await Deno.connect({ hostname: host, port })).close();
      return true;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, LISTEN_EVERY_MS));
    }
  }
  return false;
}
