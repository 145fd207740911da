/** As protobuf's uint32, which other gRPC languages hold weights in. */
export const maxWeight = 2 ** 32 - 1;

/** Whether this can be an endpoint's weight: 0 for no calls as long as others have more, at most 2^32 - 1. */
export function isWeight(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= maxWeight;
}
