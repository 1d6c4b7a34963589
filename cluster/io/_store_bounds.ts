import { limits } from "../../core/limits.ts";

/** A row of a store is no larger than a message. */
export const storeBounds = {
  depthMax: limits.rnpDepthMax,
  valuesMax: limits.rnpValuesMax,
  bytesMax: limits.rnpPayloadBytesMax,
};
