import { systemClock } from "@grpc-lb/core";
import { type Kubectl, stop } from "./kubectl.ts";
import type { Strategy } from "./strategy.ts";

const waitLimitMs = 60_000;

/** The fields of an API Service that are used here. */
export interface ApiService {
  readonly spec: { readonly ports: readonly { readonly name: string; readonly nodePort?: number }[] };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] };
  };
}

/** Whether a strategy's client needs the address that the cluster gives to the Service server-outside. */
export const callsFromOutside = (strategy: Strategy) => strategy === "nodeport" || strategy === "loadbalancer";

/** The variable of client-grpc with the port or address of the Service; null while the cluster has not given one. */
export function outsideVariable(
  strategy: Strategy,
  { spec, status }: ApiService,
): { readonly name: string; readonly value: string } | null {
  if (strategy === "nodeport") {
    const port = spec.ports.find(({ name }) => name === "grpc")?.nodePort;
    return port === undefined ? null : { name: "NODE_PORT", value: String(port) };
  }
  const [ingress] = status?.loadBalancer?.ingress ?? [];
  const address = ingress?.ip ?? ingress?.hostname;
  return address === undefined ? null : { name: "BALANCER", value: address };
}

/** Waits until the cluster has given the Service a port or address; ends the program after a minute. */
export async function waitForOutside(kubectl: Kubectl, strategy: Strategy, signal: AbortSignal) {
  const giveUpAt = systemClock.now() + waitLimitMs;
  for (;;) {
    const variable = outsideVariable(strategy, await kubectl.get(["service", "server-outside"]));
    if (variable !== null) return variable;
    if (systemClock.now() > giveUpAt)
      stop("this cluster gives Services of type LoadBalancer no address: server-outside has none after 60 s");
    await systemClock.sleep(1_000, signal);
  }
}
