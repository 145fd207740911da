import type { OptionRule, OptionRules } from "@grpc-lb/core";

const tls: OptionRule = {
  options: { caFile: "string", certFile: "string", keyFile: "string", serverName: "string" },
};
const locality: OptionRule = { options: { region: "string", zone: "string", subZone: "string" } };

/** What a control plane learns of the client that is not in a target. */
export const xdsOptions: OptionRules = {
  credentials: { options: { tls, tokenFile: "string" } },
  node: { options: { id: "string", cluster: "string", locality, metadata: "object" } },
};
