import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@grpc-lb/core";
import { within } from "../../processes/deadline.ts";
import { freePorts } from "../../processes/free-ports.ts";
import type { ProcessGroup } from "../../processes/process-group.ts";
import { startAdvice, startLimitMs } from "../../processes/start-limit.ts";
import { commandOf } from "../programs.ts";
import { envoyFromControlPlane } from "../proxies/envoy-xds.ts";
import { startL7Proxy } from "../proxies/l7-proxy.ts";
import type { Addresses, Strategy } from "../strategies.ts";

const main = join(import.meta.dirname, "../../../../control-plane/src/main.ts");
const member = "control plane";

/** Free ports of 127.0.0.1 for the control plane and for the Envoy that it configures. */
export interface ControlPlanePorts {
  readonly xds: number;
  readonly envoy: number;
}

/** Chooses the ports, which the control plane and its clients must know before it starts. */
export async function chooseControlPlanePorts(): Promise<ControlPlanePorts> {
  const [xds = 0, envoy = 0] = await freePorts(2);
  return { xds, envoy };
}

/** What the control plane needs. */
export interface ControlPlaneOptions {
  readonly group: ProcessGroup;
  readonly clock: Clock;
  /** Ends the wait for it. */
  readonly signal: AbortSignal;
  /** Where it may have a folder. */
  readonly folder: string;
  readonly addresses: Pick<Addresses, "kubeconfig" | "controlPlane">;
}

/**
 * Starts the control plane if a strategy needs it, and waits until it serves the pods of the Kubernetes API; then the Envoy that it
 * configures, if a strategy uses that.
 *
 * @throws ProgramError when one does not serve within 60 s. When one exits early, `group.failed` rejects.
 */
export async function startControlPlane(
  strategies: readonly Strategy[],
  { group, clock, signal, folder, addresses }: ControlPlaneOptions,
): Promise<void> {
  const xdsClients = new Set(strategies.flatMap(({ xdsClient }) => xdsClient ?? []));
  if (xdsClients.size === 0) return;
  const { xds, envoy } = addresses.controlPlane;
  const config = join(folder, "control-plane.json");
  const server = { target: "kubernetes:///server.default:grpc", envoyPort: envoy, envoyAddress: "127.0.0.1" };
  await writeFile(config, JSON.stringify({ services: { server } }));
  const serving = Promise.withResolvers<void>();
  group.start({
    name: member,
    main,
    args: [...["--bind-address", "127.0.0.1", "--port", String(xds), "--drain-delay", "0s"], ...["--config", config]],
    env: { KUBECONFIG: addresses.kubeconfig },
    onStdout(line) {
      if (line.includes('"msg":"serving"')) serving.resolve();
    },
  });
  const describe = () =>
    `the control plane did not serve within ${startLimitMs / 1000} s; ${startAdvice}; ${group.describeLastLines(member)}`;
  await within({ ms: startLimitMs, clock, signal, describe }, serving.promise);
  if (!xdsClients.has("proxy")) return;
  const kind = envoyFromControlPlane(xds);
  const place = { port: envoy, folder: join(folder, kind.name) };
  await mkdir(place.folder);
  await startL7Proxy(kind, place, [], { group, clock, signal, command: commandOf(kind.program) });
}
