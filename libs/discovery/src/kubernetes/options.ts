import type { OptionRule, OptionRules } from "@grpc-lb/core";

/** What an `ApiAccess` is. It may have more, such as the fields of a class. */
const accessRule: OptionRule = (value) => {
  const { server, namespace, credentials } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const isAccess = server instanceof URL && typeof namespace === "string" && typeof credentials === "function";
  return isAccess ? undefined : "must be an ApiAccess, such as createKubeconfigAccess() resolves to";
};

const families: readonly unknown[] = ["IPv4", "IPv6"];

/** What every source of Kubernetes takes. */
export const kubernetesOptions: OptionRules = {
  access: accessRule,
  preferredFamily: (value) => (families.includes(value) ? undefined : "must be IPv4 or IPv6"),
};
