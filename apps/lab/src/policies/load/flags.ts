import { durationFlag, integerFlag, textFlag } from "@grpc-lb/program";

/** Carries the key of a call. */
export const keyHeader = "x-key";
/** How many keys there are; each call has one of them, all equally often. */
export const keyCount = 1_000;

/** What the load is told. */
export const loadFlags = {
  target: textFlag({ help: "what to call", default: "" }),
  serviceConfig: textFlag({ metavar: "json", help: "gRPC service config", default: "{}" }),
  rate: integerFlag({ help: "calls a second", default: 500, min: 1 }),
  warmUp: durationFlag({ help: "how long to call before anything counts", default: 1_500 }),
  duration: durationFlag({ help: "how long to call then", default: 3_000 }),
  deadline: durationFlag({ help: "after which a call is given up", default: 300, minMs: 1 }),
  seed: integerFlag({ help: "seed of all that is random", default: 1, min: 0 }),
};
