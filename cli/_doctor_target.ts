/*
 * What `rgtp doctor TICKET` and `rgtp doctor HOST:PORT` look at: whether an exposer answers there, and what tells the reasons apart when none
 * does. Each address is asked on its own; all of it takes less than five seconds.
 */
import { formatAddress, isIpAddress } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import { AskKind } from "../codec/grant.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { fingerprint } from "../crypto/identity.ts";
import { resolveAddresses } from "../transport/addresses.ts";
import { ask } from "../transport/ask.ts";
import type { Ended } from "../transport/ask.ts";
import { pathMtu, portState } from "../transport/link/libc_probe.ts";
import type { PortState } from "../transport/link/libc_probe.ts";
import type { Check } from "./_check.ts";
import { messageOf, OK, WARN } from "./_check.ts";
import { wayMtu } from "./_doctor_system.ts";

/** Whom to look for: where, and by which key when that is known. */
export interface Target {
  /** As they were typed, or stand in the ticket. */
  readonly addresses: readonly Address[];
  /** Absent: whoever answers. */
  readonly exposerKey?: Uint8Array;
}

const NAMES_MS = 3000;
const ANSWER_MS = 4000;
/** An exposer that is there has answered by then; else it is looked for by other ways too. */
const OTHER_WAYS_AFTER_MS = 1000;
const OTHER_WAYS_MS = 2500;

/** What other ways than our own packets tell of an address. */
export interface OtherWays {
  /** What the system says of the UDP port; absent: it cannot be asked. */
  readonly port?: PortState;
  /** Whether the machine itself answers, by TCP: it does, it cannot be reached, or nothing comes. */
  readonly host: "answers" | "unreachable" | "silent";
}

/** A check for the names, one for each address, and one for the way to it where the system tells of that. */
export async function targetChecks(target: Target): Promise<Check[]> {
  const names = target.addresses.filter(({ host }) => !isIpAddress(host)).map(({ host }) => host).join(", ");
  let addresses: readonly Address[];
  try {
    addresses = await resolveAddresses(target.addresses, { timeoutMs: NAMES_MS });
  } catch (error) {
    const todo = "check the name, and that name servers can be reached; or use an IP address";
    return [{ name: "name", state: "fail", condition: "NOT_FOUND", what: messageOf(error), todo }];
  }
  const found = addresses.map(({ host }) => host).join(", ");
  const named: Check[] = names === "" ? [] : [{ ...OK, name: "name", what: `${names} stands for ${found}` }];
  const all = await Promise.all(addresses.map((address) => look(address, target.exposerKey)));
  // Who can be reached over one address is reached.
  const isReached = all.some(({ state }) => state === "ok");
  const ways = addresses.flatMap((address) => {
    const mtu = pathMtu(address);
    return mtu === undefined ? [] : [wayMtu(formatAddress(address), mtu)];
  });
  return [
    ...named,
    ...all.map((check) => isReached && check.state === "fail" ? spared(check) : check),
    ...ways,
  ];
}

function spared({ name, what, todo }: Check): Check {
  return { ...WARN, name, what, ...(todo !== undefined && { todo }) };
}

async function look(address: Address, exposerKey: Uint8Array | undefined): Promise<Check> {
  const started = performance.now();
  const over = new AbortController();
  const others = otherWays(address, over.signal);
  try {
    const engine = defaultEngine();
    const ended = await ask(engine, [address], { kind: AskKind.LIST }, exposerKey, { timeoutMs: ANSWER_MS });
    const isSilent = ended.kind === "failed" && ended.why === "silence";
    return judgeAnswer(address, ended, performance.now() - started, isSilent ? await others : undefined);
  } catch (error) {
    return { name: formatAddress(address), state: "fail", condition: "SOCKET", what: messageOf(error) };
  } finally {
    over.abort();
    await others;
  }
}

/** Judges what came of a question; `others` is there when nothing came. */
export function judgeAnswer(
  address: Address,
  ended: Ended,
  ms: number,
  others: OtherWays | undefined,
): Check {
  const name = formatAddress(address);
  if (ended.kind === "found") {
    const what = `an exposer answers after ${ms.toFixed(0)} ms; its key's fingerprint is ${
      fingerprint(ended.exposerKey)
    }`;
    return { ...OK, name, what };
  }
  const fail = (condition: NonNullable<Check["condition"]>, what: string, todo: string): Check => {
    return { name, state: "fail", condition, what, todo };
  };
  const answers: Readonly<Record<typeof ended.why, () => Check>> = {
    denied: () => ({
      ...OK,
      name,
      what: `an exposer answers after ${
        ms.toFixed(0)
      } ms; it lists nothing for this machine, as one with tickets does`,
    }),
    "source changed": () => ({ ...OK, name, what: `an exposer answers after ${ms.toFixed(0)} ms` }),
    "wrong key": () =>
      fail("AUTH_FAIL", "another exposer answers than the one that the ticket names", "ask for a new ticket"),
    version: () =>
      fail(
        "VERSION",
        "who answers speaks another version of the protocol",
        "use the same release on both sides",
      ),
    silence: () => fail("TIMEOUT", ...whySilent(ended, others)),
  };
  return answers[ended.why]();
}

/** What is wrong, and what to do, as far as can be told. */
function whySilent({ silence }: Ended, others: OtherWays | undefined): [what: string, todo: string] {
  if (silence.network !== undefined) {
    return [
      `nothing answers over UDP: ${silence.network}`,
      "see the routes and the firewall of this machine: ip route, nft list ruleset",
    ];
  }
  if (others?.port === "closed") {
    return [
      "the network says (ICMP) that nobody listens on this UDP port: nothing is exposed there",
      "see that the exposer runs, and which port its ticket names",
    ];
  }
  if (others?.port === "unreachable" || others?.host === "unreachable") {
    return [
      "there is no way to that machine: it is off, or its address is wrong",
      "check the address, and 'ip route'",
    ];
  }
  if (others?.host === "answers") {
    return [
      "that machine is there (it answers TCP), but not over UDP: nothing is exposed at this port, or a firewall drops UDP",
      "see that the exposer runs; if so, let UDP to this port through at the firewalls of both sides",
    ];
  }
  return [
    "nothing answers, neither over UDP nor over TCP: the machine is off, or a firewall or router drops packets to it",
    "see that the machine and the exposer run, and let UDP to this port through",
  ];
}

/** Looks by other ways, a while later, unless it is over by then. */
async function otherWays(address: Address, over: AbortSignal): Promise<OtherWays | undefined> {
  await waitFor(OTHER_WAYS_AFTER_MS, over);
  if (over.aborted) return undefined;
  // One byte is a packet of no version: an exposer drops it.
  const [port, host] = await Promise.all([
    portState(address, new Uint8Array(1), OTHER_WAYS_MS),
    hostState(address, over),
  ]);
  return { host, ...(port && { port }) };
}

/** A host that refuses a connection is there as much as one that takes it. */
async function hostState({ host, port }: Address, over: AbortSignal): Promise<OtherWays["host"]> {
  const signal = AbortSignal.any([over, AbortSignal.timeout(OTHER_WAYS_MS)]);
  try {
    const connection = await Deno.connect({ hostname: host, port, signal });
    connection.close();
    return "answers";
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return "answers";
    const isUnreachable = error instanceof Deno.errors.NetworkUnreachable ||
      /unreachable|no route/i.test(messageOf(error));
    return isUnreachable ? "unreachable" : "silent";
  }
}

async function waitFor(ms: number, over: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  over.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
