import type { OptionRule, OptionRules } from "@grpc-lb/core";

const tls: OptionRule = {
  options: { caFile: "string", certFile: "string", keyFile: "string", serverName: "string" },
};

/** What `EtcdCredentials` are. */
export const etcdCredentialsRule: OptionRule = {
  options: { user: "string", password: "string", passwordFile: "string", tls },
};

/** What `EtcdAccess` and `LayoutOptions` are, for sources and registrations. */
export const etcdOptions: OptionRules = {
  endpoints: "strings",
  credentials: etcdCredentialsRule,
  layout: "string",
  namespace: "string",
};
