/*
 * Faults of the network: damaged packets, silence, other addresses, an interface that goes down.
 */
import { RoughRelay, smooth } from "../../bench/_rough_relay.ts";
import type { Roughness } from "../../bench/_rough_relay.ts";
import { portOf } from "../real/_processes.ts";
import { addresses, Lab } from "../lab/_lab.ts";
import type { Fault } from "./_fault.ts";
import type { Explanations } from "./_judge.ts";
import { pause } from "./_scene.ts";
import type { Scene } from "./_scene.ts";

const relays = new WeakMap<Scene, RoughRelay>();
const labs = new WeakMap<Scene, Lab>();

/** Puts somebody on the way, as soon as there is an exposer. */
function relayed(scene: Scene): RoughRelay {
  const known = relays.get(scene);
  if (known) return known;
  const port = portOf(scene.process("exposer").last("ready")!.ticket);
  const relay = scene.cleanup.use(new RoughRelay({ host: scene.host, port }, () => scene.random.float()));
  relays.set(scene, relay);
  scene.detour = relay.address;
  return relay;
}

function rough(
  name: string,
  some: (share: number, scene: Scene) => Partial<Roughness>,
  puller: Explanations = {},
): Fault {
  return {
    name,
    puller,
    served: (scene) => void (relayed(scene).roughness = { ...smooth, ...some(scene.random.float(), scene) }),
  };
}

/** See {@linkcode Fault}. */
export const wireFaults: readonly Fault[] = [
  rough("bits flip on the wire", (share) => ({ flipped: 0.3 * share ** 3 }), {
    // Of a chunk of hundreds of packets one is wrong every time.
    MERKLE_FAIL: /someone on the way changes packets/,
  }),
  rough("packets are lost, doubled and cut off", (share, { random }) => ({
    lost: 0.2 * share,
    doubled: 0.2 * random.float(),
    cut: 0.1 * random.float(),
  })),
  rough("packets come late and overtake each other", (share, { random }) => ({
    delayMs: 30 * random.float(),
    jitterMs: 30 * share,
  })),
  {
    name: "silence for a while",
    served: (scene) => void relayed(scene),
    strike: async (scene) => {
      relayed(scene).isSilent = true;
      await pause(scene.random.integer(2500));
      relayed(scene).isSilent = false;
    },
  },
  {
    name: "the puller comes from another port",
    served: (scene) => void relayed(scene),
    strike: (scene) => relayed(scene).moveClients(),
  },
  {
    name: "an interface goes down for a while",
    needs: "namespaces",
    prepare: async (scene) => {
      const lab = scene.cleanup.use(await Lab.make());
      labs.set(scene, lab);
      for (const side of ["exposer", "puller"] as const) scene.settings[side].place = lab.via(side);
      scene.host = addresses.IPv4.exposer;
    },
    strike: async (scene) => {
      const [lab, side] = [labs.get(scene)!, scene.anySide()];
      await lab.setCable(side, "down");
      await pause(scene.random.integer(2500));
      await lab.setCable(side, "up");
    },
  },
];
