import { within } from "../../processes/deadline.ts";
import { freePorts } from "./free-ports.ts";
import { type RegistryOptions, registryTimeoutMs } from "./registry.ts";

/** A strategy has the bare name. */
const member = "consul agent";

/**
 * Starts a real Consul agent that is its own server and keeps everything in memory, and waits until it has a leader and knows
 * of itself.
 *
 * @returns its target, which ends with the service
 * @throws ProgramError when it is not ready within 20 s. An agent that ends breaks the group, which its owner watches.
 */
export async function startConsul({ group, clock, signal }: RegistryOptions): Promise<string> {
  const ready = Promise.withResolvers<void>();
  // Consul takes 0 for none, so the ports are chosen for it.
  const [http, server, serf] = await freePorts(3);
  const ports = { http, server, serf_lan: serf, serf_wan: -1, dns: -1, grpc: -1, grpc_tls: -1 };
  const config = Object.entries(ports).map(([name, port]) => `${name} = ${port}`);
  group.start({
    name: member,
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
    `consul was not ready within ${registryTimeoutMs / 1000} s; ${group.describeLastWords(member)}`;
  await within({ ms: registryTimeoutMs, clock, signal, describe }, ready.promise);
  return `consul://127.0.0.1:${http}/server`;
}
