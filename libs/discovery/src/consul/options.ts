import type { OptionRule, OptionRules } from "@grpc-lb/core";

const tls: OptionRule = {
  options: {
    ...{ caFile: "string", caPath: "string", certFile: "string", keyFile: "string", serverName: "string" },
    verify: "boolean",
  },
};

/** What `ConsulCredentials` are. */
export const consulCredentialsRule: OptionRule = {
  options: { token: "string", tokenFile: "string", basicAuth: "string", tls },
};

/** What agent, credentials, tags and tenancy are, for sources and registrations. */
export const consulOptions: OptionRules = {
  agent: { options: { host: "string", port: "number" }, required: ["host", "port"] },
  credentials: consulCredentialsRule,
  tags: "strings",
  namespace: "string",
  partition: "string",
};
