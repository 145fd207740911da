import type { Node } from "@grpc-lb/protos/envoy/config/core/v3";

/** What is kept of the node that a client sends: who it is. Its metadata may be large, and is not kept. */
export type ClientNode = Pick<Node, "id" | "cluster" | "locality" | "userAgentName">;

/** Of each text, in characters. */
const maxLength = 1_024;

/** Reads what is kept of a node. @throws RangeError for a text that is too long */
export function readClientNode({ id, cluster, locality, userAgentName }: Node): ClientNode {
  const { region = "", zone = "", subZone = "" } = locality ?? {};
  const texts = { id, cluster, user_agent_name: userAgentName, region, zone, sub_zone: subZone };
  for (const [field, { length }] of Object.entries(texts)) {
    if (length > maxLength)
      throw new RangeError(`${field} has ${length} characters, and at most ${maxLength} are taken`);
  }
  return { id, cluster, locality: locality && { region, zone, subZone }, userAgentName };
}
