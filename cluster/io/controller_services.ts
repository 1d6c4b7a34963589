import { formatAddress, parseAddress } from "../../codec/address.ts";
import { rnpError } from "../protocol/errors.ts";
import type { ListedService, MessageData } from "../protocol/message_data.ts";
import {
  isChecked,
  isNews,
  judged,
  listedService,
  matching,
  offerFault,
  registered,
} from "../protocol/services.ts";
import type { ServiceRecord } from "../protocol/services.ts";
import { isHere } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";
import { checkService } from "./health.ts";
import { messageOf } from "./handlers.ts";
import { inParallel } from "./in_parallel.ts";

/** Services that are looked at at once. */
const CHECKS_MAX = 32;

/** A node offers a service. @throws {RgtpError} */
export async function register(
  fleet: Fleet,
  sender: string,
  offer: MessageData["mesh.register"],
): Promise<void> {
  const fault = offerFault(offer);
  if (fault !== undefined) throw rnpError({ code: "PROTOCOL_ERROR", message: fault });
  const host = parseAddress(fleet.member(sender)?.address ?? "")?.host;
  if (host === undefined) {
    throw rnpError({ code: "NOT_FOUND", message: `nobody knows where '${sender}' is: it has to join first` });
  }
  const address = formatAddress({ host, port: offer.port });
  const record = await looked(registered(offer, sender, address));
  await fleet.tables.services.change([offer.service_name, offer.instance_id], () => record);
}

/** A service ends. What another node has registered is not its sender's to end. */
export async function deregister(
  fleet: Fleet,
  sender: string,
  { service_name, instance_id }: MessageData["mesh.deregister"],
): Promise<void> {
  await fleet.tables.services.change([service_name, instance_id], (record) => {
    if (record && record.node !== sender) {
      throw rnpError({
        code: "UNAUTHORIZED",
        message: `'${service_name}' of '${instance_id}' was registered by '${record.node}'`,
      });
    }
    return undefined;
  });
}

/** An instance has ended on a node, and its services with it. */
export async function dropServicesOf(fleet: Fleet, instance: string, node: string): Promise<void> {
  for (const { service_name, instance_id } of await fleet.tables.services.all()) {
    if (instance_id !== instance) continue;
    await fleet.tables.services.change(
      [service_name, instance_id],
      (record) => record?.node === node ? undefined : record,
    );
  }
}

/** Where a service is: a node that does not take part has no healthy one. @throws {RgtpError} NOT_FOUND for a name that nobody has */
export async function query(
  fleet: Fleet,
  asked: MessageData["mesh.query"],
): Promise<MessageData["mesh.response"]> {
  const { service_name } = asked;
  const records = (await fleet.tables.services.all()).map((record) => asSeen(fleet, record));
  if (!records.some((record) => record.service_name === service_name)) {
    throw rnpError({
      code: "NOT_FOUND",
      message: `there is no service '${service_name}': 'rgtp node services' lists those that there are`,
    });
  }
  const instances = matching(records, asked).map(({ instance_id, node, address, healthy, latency_ms }) => ({
    instance_id,
    node,
    address,
    healthy,
    latency_ms,
  }));
  return { service_name, instances };
}

/** All of them. */
export async function listServices(fleet: Fleet): Promise<ListedService[]> {
  return (await fleet.tables.services.all()).map((record) => listedService(asSeen(fleet, record)));
}

/** What services stand in a list by. */
export function serviceKey({ service_name, instance_id }: ListedService): string {
  return `${service_name} ${instance_id}`;
}

function asSeen(fleet: Fleet, record: ServiceRecord): ServiceRecord {
  return isHere(fleet, record.node) ? record : { ...record, healthy: false };
}

/** Looks at every service that can be looked at, and forgets those of nodes that have left. */
export async function checkServices(fleet: Fleet): Promise<void> {
  await inParallel(await fleet.tables.services.all(), CHECKS_MAX, async (before) => {
    const key = [before.service_name, before.instance_id];
    try {
      if (fleet.member(before.node)?.state === "left") {
        await fleet.tables.services.change(key, (now) => now?.node === before.node ? undefined : now);
      }
      if (!isHere(fleet, before.node)) return;
      const after = await looked(before);
      if (!isNews(before, after)) return;
      const { healthy, latency_ms, failures } = after;
      await fleet.tables.services.change(
        key,
        (now) => now?.address === before.address ? { ...now, healthy, latency_ms, failures } : now,
      );
    } catch (error) {
      fleet.node.note(`looking at '${before.service_name}': ${messageOf(error)}`);
    }
  });
}

async function looked(record: ServiceRecord): Promise<ServiceRecord> {
  return isChecked(record) ? judged(record, await checkService(record)) : record;
}
