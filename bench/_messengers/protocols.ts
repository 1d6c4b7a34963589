import { grpc } from "./grpc.ts";
import type { Protocol } from "./messenger.ts";
import { nats } from "./nats.ts";
import { rnp } from "./rnp.ts";

/** All that are compared. */
export const protocols: readonly Protocol[] = [rnp, nats, grpc];
