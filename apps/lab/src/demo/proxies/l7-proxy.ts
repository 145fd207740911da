import { once } from "node:events";
import { connect } from "node:net";
import type { Clock } from "@grpc-lb/core";
import { within } from "../../processes/deadline.ts";
import type { PodServer } from "../../processes/pod-server.ts";
import type { ProcessGroup } from "../../processes/process-group.ts";
import { startAdvice, startLimitMs } from "../../processes/start-limit.ts";

/** The programs of the L7 proxies. */
export type ProxyProgram = "envoy" | "nginx" | "haproxy";

/**
 * The L7 proxies that have their pods from the lab; the name is also that of the strategy. `host-proxy` is the one on the client's
 * node.
 */
export type ProxyName = ProxyProgram | "host-proxy";

/** The port of each proxy that runs, on 127.0.0.1. */
export type ProxyPorts = Readonly<Partial<Record<ProxyName, number>>>;

/** Where a proxy listens, and where it may write. */
export interface ProxyPlace {
  readonly port: number;
  /** Of its own, and it exists. */
  readonly folder: string;
}

/** How a proxy is configured and started. */
export interface ProxyKind {
  /** That of the strategy. */
  readonly name: ProxyName | "envoy-xds";
  readonly program: ProxyProgram;
  /** The arguments of the program. */
  args(place: ProxyPlace): readonly string[];
  /** Writes the configuration that never changes. Default: there is none. */
  prepare?(place: ProxyPlace): Promise<void>;
  /** Writes the pods. Default: the program does not have them from the lab. */
  writePods?(pods: readonly PodServer[], place: ProxyPlace): Promise<void>;
  /** The signal on which the program reads the pods again. Undefined when it watches the file. */
  readonly reloadSignal?: NodeJS.Signals;
}

/** A proxy that runs. */
export interface L7Proxy {
  readonly port: number;
  /** Makes these pods its backends. */
  update(pods: readonly PodServer[]): Promise<void>;
}

/** Options for the start of a proxy. */
export interface ProxyOptions {
  readonly group: ProcessGroup;
  readonly clock: Clock;
  /** Ends the wait for the proxy. */
  readonly signal: AbortSignal;
  readonly command: string;
}

const retryMs = 50;

/** The name of a proxy's process in the group. Not the program's, which is the name of the client of that strategy. */
export const proxyMember = (name: ProxyKind["name"]) => `${name} proxy`;

/**
 * Starts a proxy and waits until it accepts connections. `group` stops it.
 *
 * @throws ProgramError when that takes longer than 60 s. When it exits early, `group.failed` rejects.
 */
export async function startL7Proxy(
  kind: ProxyKind,
  place: ProxyPlace,
  pods: readonly PodServer[],
  { group, clock, signal, command }: ProxyOptions,
): Promise<L7Proxy> {
  const member = proxyMember(kind.name);
  await kind.prepare?.(place);
  await kind.writePods?.(pods, place);
  // The workers of nginx and HAProxy end with their master only when it may signal them.
  group.start({ name: member, command, args: kind.args(place), lastSignal: "SIGTERM" });
  const ended = new AbortController();
  const describe = () =>
    `${member} did not listen within ${startLimitMs / 1000} s; ${startAdvice}; ${group.describeLastLines(member)}`;
  try {
    const listening = untilListening(place.port, clock, AbortSignal.any([signal, ended.signal]));
    await within({ ms: startLimitMs, clock, signal, describe }, Promise.race([listening, group.failed]));
  } finally {
    ended.abort();
  }
  return {
    port: place.port,
    async update(next) {
      await kind.writePods?.(next, place);
      if (kind.reloadSignal) group.signal(member, kind.reloadSignal);
    },
  };
}

/** Resolves when the port accepts a connection, or `signal` is aborted. */
async function untilListening(port: number, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const socket = connect({ host: "127.0.0.1", port });
    try {
      await once(socket, "connect");
      return;
    } catch {
      // ECONNREFUSED: not yet
    } finally {
      socket.destroy();
    }
    await clock.sleep(retryMs, signal);
  }
}
