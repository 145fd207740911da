import { hostname } from "node:os";
import { Node } from "@grpc-lb/protos/envoy/config/core/v3";
import type { XdsNode } from "./node.ts";

/** The node as it is sent. */
export function encodeNode({ id = hostname(), cluster, locality, metadata }: XdsNode): Node {
  return Node.fromPartial({
    id,
    userAgentName: "grpc-lb",
    // gRPC's own clients say so too (gRFC A27): a priority is used until none of its endpoints is healthy.
    clientFeatures: ["envoy.lb.does_not_support_overprovisioning"],
    ...(cluster !== undefined && { cluster }),
    ...(locality && { locality: locality as Partial<Node["locality"]> }),
    ...(metadata && { metadata: structuredClone(metadata) }),
  });
}
