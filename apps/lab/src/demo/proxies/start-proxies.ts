import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@grpc-lb/core";
import { freePorts } from "../../processes/free-ports.ts";
import type { PodServer } from "../../processes/pod-server.ts";
import type { ProcessGroup } from "../../processes/process-group.ts";
import { commandOf } from "../programs.ts";
import { envoy } from "./envoy.ts";
import { haproxy } from "./haproxy.ts";
import { type ProxyKind, type ProxyName, type ProxyPorts, startL7Proxy } from "./l7-proxy.ts";
import { nginx } from "./nginx.ts";

const kinds: Readonly<Record<ProxyName, ProxyKind>> = {
  envoy,
  nginx,
  haproxy,
  // This machine is the client's node. That the proxy is near is all that distinguishes it.
  "host-proxy": { ...envoy, name: "host-proxy" },
};

/** The proxies that run. */
export interface Proxies {
  readonly ports: ProxyPorts;
  /** Makes these pods the backends of each. */
  update(pods: readonly PodServer[]): Promise<void>;
}

/** Options for the start of proxies. */
export interface ProxiesOptions {
  readonly group: ProcessGroup;
  readonly clock: Clock;
  /** Ends the wait for the proxies. */
  readonly signal: AbortSignal;
  /** Where each may have a folder. */
  readonly folder: string;
  readonly pods: readonly PodServer[];
}

/**
 * Starts the named proxies, each once, in front of the pods, and waits until all accept connections.
 *
 * @throws ProgramError when one does not within 60 s
 */
export async function startProxies(
  names: readonly ProxyName[],
  { folder, pods, ...options }: ProxiesOptions,
): Promise<Proxies> {
  const unique = [...new Set(names)];
  const ports = await freePorts(unique.length);
  const started = await Promise.all(
    unique.map(async (name, i) => {
      const place = { port: ports[i] ?? 0, folder: join(folder, name) };
      await mkdir(place.folder);
      return startL7Proxy(kinds[name], place, pods, { ...options, command: commandOf(kinds[name].program) });
    }),
  );
  return {
    ports: Object.fromEntries(unique.map((name, i) => [name, started[i]?.port])),
    async update(next) {
      await Promise.all(started.map((proxy) => proxy.update(next)));
    },
  };
}
