import { within } from "../../processes/deadline.ts";
import { freePorts } from "../../processes/free-ports.ts";
import { startAdvice, startLimitMs } from "../../processes/start-limit.ts";
import type { RegistryOptions } from "./registry.ts";

/** Not `consul`, which is the name of the client of that strategy. */
export const consulMember = "consul agent";

/**
 * Starts a Consul agent in development mode, which is its own server and stores nothing on disk, and waits until it has elected
 * itself and registered its node.
 *
 * @returns the target of the service `server` in it
 * @throws ProgramError when it is not ready within 60 s. When it exits early, `group.failed` rejects.
 */
export async function startConsul({ group, clock, signal }: RegistryOptions): Promise<string> {
  const ready = Promise.withResolvers<void>();
  // For Consul port 0 means disabled, so free ports are chosen here.
  const [http, server, serf] = await freePorts(3);
  const ports = { http, server, serf_lan: serf, serf_wan: -1, dns: -1, grpc: -1, grpc_tls: -1 };
  const config = Object.entries(ports).map(([name, port]) => `${name} = ${port}`);
  group.start({
    name: consulMember,
    command: "consul",
    args: [
      ...["agent", "-dev", "-node", "lab", "-bind", "127.0.0.1", "-log-level", "info"],
      ...["-hcl", `ports { ${config.join("\n")} }`, "-hcl", "disable_update_check = true"],
    ],
    onStdout(line) {
      if (line.endsWith("agent: Synced node info")) ready.resolve();
    },
  });
  const describe = () =>
    `consul was not ready within ${startLimitMs / 1000} s; ${startAdvice}; ${group.describeLastLines(consulMember)}`;
  await within({ ms: startLimitMs, clock, signal, describe }, ready.promise);
  return `consul://127.0.0.1:${http}/server`;
}
