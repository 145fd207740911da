import { Fields } from "../config/fields.ts";
import { readOutlierDetection } from "../config/outlier-detection.ts";
import { type Adapted, adaptPolicy, type PolicyJson, registerAlias } from "../grpc-js.ts";
import { reporting } from "./mistakes.ts";
import { keepFailure } from "./parse-failure.ts";

/**
 * Has grpc-js's own policies take their configurations in all spellings of protobuf's JSON, report errors with the field, and report
 * mistakes in the service config.
 *
 * @returns pick_first
 */
export function adaptGrpcPolicies(): Adapted {
  adapt({ outlier_detection: { child_policy: [{ round_robin: {} }] } }, readOutlierDetection);
  registerAlias("outlier_detection_experimental", "outlier_detection");
  return adapt({ pick_first: {} }, readPickFirst);
}

function adapt(sample: PolicyJson, read: (json: unknown) => object): Adapted {
  const [name = ""] = Object.keys(sample);
  return adaptPolicy(sample, {
    read: (json) => keepFailure(name, () => read(json)),
    extend: (Balancer) => reporting(name, Balancer),
  });
}

function readPickFirst(json: unknown): object {
  const fields = new Fields(json);
  const shuffleAddressList = fields.flag("shuffleAddressList", false);
  fields.end();
  return { shuffleAddressList };
}
