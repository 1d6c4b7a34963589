import fs from "node:fs/promises";
import os from "node:os";
import type { ResourceStatus } from "../protocol/message_data.ts";
import type { NodeLoad } from "./membership.ts";

const MIB = 1_048_576;
const GIB = 1_073_741_824;

interface Ticks {
  readonly busy: number;
  readonly all: number;
}

interface Traffic {
  readonly at: number;
  readonly received: number;
  readonly sent: number;
}

/**
 * What this machine has, and has free. Processors and network are measured from one look to the next, and are 0 at the first. What Deno
 * does not permit to look at (`--allow-sys=cpus,systemMemoryInfo,statfs`, and `--allow-run=sh` for the network) is 0 too.
 */
export class Meter {
  readonly #folder: string;
  readonly #labels: Readonly<Record<string, string>>;
  #ticks: Ticks = ticks();
  #traffic: Traffic | undefined;
  #cpuPercent = 0;

  /** `folder`: on the disk that counts. */
  constructor(folder: string, labels: Readonly<Record<string, string>> = {}) {
    this.#folder = folder;
    this.#labels = labels;
  }

  /** For heartbeats: processors and memory alone. */
  load(instances: number): NodeLoad {
    this.#lookAtProcessors();
    const { total, available } = memory();
    return { cpu_percent: this.#cpuPercent, ram_used_mb: (total - available) / MIB, instances };
  }

  /** For the controller. */
  async status(): Promise<ResourceStatus> {
    this.#lookAtProcessors();
    const cores = navigator.hardwareConcurrency;
    const { total, available } = memory();
    const disk = await diskOf(this.#folder);
    return {
      cpu: {
        total_cores: cores,
        available_cores: cores * (1 - this.#cpuPercent / 100),
        percent_used: this.#cpuPercent,
      },
      ram: {
        total_mb: total / MIB,
        available_mb: available / MIB,
        percent_used: percent(total - available, total),
      },
      disk: {
        total_gb: disk.total / GIB,
        available_gb: disk.available / GIB,
        percent_used: percent(disk.total - disk.available, disk.total),
      },
      network: await this.#network(),
      labels: this.#labels,
    };
  }

  #lookAtProcessors(): void {
    const now = ticks();
    const before = this.#ticks;
    if (now.all === before.all) return;
    this.#cpuPercent = percent(now.busy - before.busy, now.all - before.all);
    this.#ticks = now;
  }

  async #network(): Promise<ResourceStatus["network"]> {
    const now = await traffic();
    const before = this.#traffic;
    this.#traffic = now;
    if (!now || !before || now.at <= before.at) return { in_mbps: 0, out_mbps: 0 };
    const mbps = (bytes: number) => Math.max(0, bytes * 8 / 1000 / (now.at - before.at));
    return { in_mbps: mbps(now.received - before.received), out_mbps: mbps(now.sent - before.sent) };
  }
}

function percent(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.min(100, Math.max(0, Math.round(1000 * part / whole) / 10));
}

function ticks(): Ticks {
  try {
    let [busy, all] = [0, 0];
    for (const { times: { user, nice, sys, idle, irq } } of os.cpus()) {
      busy += user + nice + sys + irq;
      all += user + nice + sys + irq + idle;
    }
    return { busy, all };
  } catch {
    return { busy: 0, all: 0 };
  }
}

function memory(): { readonly total: number; readonly available: number } {
  try {
    return Deno.systemMemoryInfo();
  } catch {
    return { total: 0, available: 0 };
  }
}

async function diskOf(folder: string): Promise<{ readonly total: number; readonly available: number }> {
  try {
    const { blocks, bavail, bsize } = await fs.statfs(folder);
    return { total: blocks * bsize, available: bavail * bsize };
  } catch {
    return { total: 0, available: 0 };
  }
}

/** Bytes of all devices but the loopback. Deno lets nobody but those who may do everything look at /proc: a shell may. */
async function traffic(): Promise<Traffic | undefined> {
  try {
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", "exec cat /proc/net/dev"],
      stdin: "null",
      stderr: "null",
    }).output();
    let [received, sent] = [0, 0];
    for (const line of new TextDecoder().decode(stdout).split("\n")) {
      const [, device, figures] = /^\s*([^\s:]+):\s*(.+)$/.exec(line) ?? [];
      if (device === undefined || device === "lo") continue;
      const columns = figures.split(/\s+/).map(Number);
      received += columns[0];
      sent += columns[8];
    }
    return { at: performance.now(), received, sent };
  } catch {
    return undefined;
  }
}
