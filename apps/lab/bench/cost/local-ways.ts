import { join } from "node:path";
import { systemClock } from "@grpc-lb/core";
import { whyUnavailable } from "../../src/demo/programs.ts";
import { type ProxyProgram, proxyMember } from "../../src/demo/proxies/l7-proxy.ts";
import { startProxies } from "../../src/demo/proxies/start-proxies.ts";
import { startPodServer } from "../../src/processes/pod-server.ts";
import type { ProcessGroup } from "../../src/processes/process-group.ts";
import { startCaller } from "./caller-process.ts";
import { usageOf } from "./usage.ts";
import { nothing, type Way } from "./way.ts";

const servers = 3;
const proxyNames: readonly ProxyProgram[] = ["envoy", "nginx", "haproxy"];
const serviceConfig = (policy: string) => JSON.stringify({ loadBalancingConfig: [{ [policy]: {} }] });
const callerMain = join(import.meta.dirname, "caller.ts");

/** The direct way and the way through each proxy, to the same servers on this machine; the signal ends their callers. */
export async function startLocalWays(group: ProcessGroup, folder: string, signal: AbortSignal) {
  const skipped: string[] = [];
  const found: ProxyProgram[] = [];
  for (const name of proxyNames) {
    const why = await whyUnavailable(name);
    if (why === undefined) found.push(name);
    else skipped.push(`${name}: ${why}`);
  }
  const names = Array.from({ length: servers }, (_, n) => `server-${n + 1}`);
  const pods = await Promise.all(names.map((name) => startPodServer(group, name, systemClock, signal)));
  const { ports } = await startProxies(found, { group, clock: systemClock, signal, folder, pods });
  const direct = `ipv4:${pods.map(({ grpcPort }) => `127.0.0.1:${grpcPort}`).join(",")}`;
  const caller = (target: string, policy: string) =>
    startCaller(process.execPath, [callerMain, target, serviceConfig(policy)], signal);
  const ways: Way[] = [
    { name: "direct", reference: "direct", caller: await caller(direct, "least_request"), usage: async () => nothing },
  ];
  for (const name of found) {
    const pid = group.pidOf(proxyMember(name)) ?? 0;
    const proxied = await caller(`ipv4:127.0.0.1:${ports[name]}`, "pick_first");
    ways.push({ name, reference: "direct", caller: proxied, usage: async () => usageOf(pid) });
  }
  return { ways, skipped };
}
