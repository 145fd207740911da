import { ApiVersion, ConfigSource } from "@grpc-lb/protos/envoy/config/core/v3";
import type { Duration } from "@grpc-lb/protos/google/protobuf/duration";

/** The resource is on the same stream. */
export const ads: ConfigSource = ConfigSource.fromPartial({
  configSourceSpecifier: { $case: "ads", value: {} },
  resourceApiVersion: ApiVersion.V3,
});

/** Load is reported to the control plane that the cluster came from. */
export const self: ConfigSource = ConfigSource.fromPartial({
  configSourceSpecifier: { $case: "self", value: {} },
  resourceApiVersion: ApiVersion.V3,
});

/** What Envoy takes for no timeout, where an absent one would be its default. */
export const noTimeout: Duration = { seconds: 0n, nanos: 0 };
