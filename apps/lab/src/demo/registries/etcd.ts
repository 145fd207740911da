import { join } from "node:path";
import { within } from "../../processes/deadline.ts";
import { type RegistryOptions, registryTimeoutMs } from "./registry.ts";

/** A strategy has the bare name. */
const member = "etcd server";

/** Any free port of this machine, for its clients and for the other members that it does not have. */
const anyPort = "http://127.0.0.1:0";

/**
 * Starts a real etcd of one member and waits until it serves.
 *
 * @returns its target, which ends with the service
 * @throws ProgramError when it does not serve within 20 s. An etcd that ends breaks the group, which its owner watches.
 */
export async function startEtcd({ group, clock, signal, folder }: RegistryOptions): Promise<string> {
  const serving = Promise.withResolvers<string>();
  group.start({
    name: member,
    command: "etcd",
    args: [
      ...["--name", "lab", "--data-dir", join(folder, "etcd"), "--initial-cluster", `lab=${anyPort}`],
      ...["--listen-client-urls", anyPort, "--advertise-client-urls", anyPort],
      ...["--listen-peer-urls", anyPort, "--initial-advertise-peer-urls", anyPort],
      ...["--heartbeat-interval", "50", "--election-timeout", "500"], // it elects itself at once
      ...["--logger", "zap", "--enable-grpc-gateway=false"],
    ],
    onStderr(line) {
      const address = parseEtcdAddress(line);
      if (address !== undefined) serving.resolve(address);
    },
  });
  const describe = () => `etcd did not serve within ${registryTimeoutMs / 1000} s; ${group.describeLastWords(member)}`;
  const address = await within({ ms: registryTimeoutMs, clock, signal, describe }, serving.promise);
  return `etcd://${address}/server`;
}

/** Reads the log line with which etcd, from 3.4 on, says where it serves clients; undefined for any other line. */
export function parseEtcdAddress(line: string): string | undefined {
  return /"serving client traffic insecurely;.*"address":"(127\.0\.0\.1:\d+)"/.exec(line)?.[1];
}
