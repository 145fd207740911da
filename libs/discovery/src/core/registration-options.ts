import type { OptionRule, OptionRules } from "@grpc-lb/core";

/** What an `Instance` is, apart from its service and TTL. */
const instanceOptions: OptionRules = {
  address: { options: { host: "string", port: "number" }, required: ["host", "port"] },
  metadata: { each: "string" },
  weight: "number",
};

/** What an `OwnInstance` is. */
export const ownInstanceRule: OptionRule = { options: instanceOptions, required: ["address"] };

/** What an `Instance` is. */
export const instanceRule: OptionRule = {
  options: { service: "string", ...instanceOptions, ttlMs: "number" },
  required: ["service", "address"],
};

/** What `RegistrationHooks` are. */
export const hookOptions: OptionRules = { onError: "function", onRegistered: "function" };
