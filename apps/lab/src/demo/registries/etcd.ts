import { join } from "node:path";
import { within } from "../../processes/deadline.ts";
import { startAdvice, startLimitMs } from "../../processes/start-limit.ts";
import type { RegistryOptions } from "./registry.ts";

/** Not `etcd`, which is the name of the client of that strategy. */
export const etcdMember = "etcd server";

/** A free port, for clients and for peers, of which there are none. */
const anyPort = "http://127.0.0.1:0";

/**
 * Starts a single-member etcd and waits until it serves.
 *
 * @returns the target of the service `server` in it
 * @throws ProgramError when it does not serve within 60 s. When it exits early, `group.failed` rejects.
 */
export async function startEtcd({ group, clock, signal, folder }: RegistryOptions): Promise<string> {
  const serving = Promise.withResolvers<string>();
  group.start({
    name: etcdMember,
    command: "etcd",
    args: [
      ...["--name", "lab", "--data-dir", join(folder, "etcd"), "--initial-cluster", `lab=${anyPort}`],
      ...["--listen-client-urls", anyPort, "--advertise-client-urls", anyPort],
      ...["--listen-peer-urls", anyPort, "--initial-advertise-peer-urls", anyPort],
      ...["--heartbeat-interval", "50", "--election-timeout", "500"], // for a fast election
      ...["--logger", "zap", "--enable-grpc-gateway=false"],
    ],
    onStderr(line) {
      const address = parseEtcdAddress(line);
      if (address !== undefined) serving.resolve(address);
    },
  });
  const describe = () =>
    `etcd did not serve within ${startLimitMs / 1000} s; ${startAdvice}; ${group.describeLastLines(etcdMember)}`;
  const address = await within({ ms: startLimitMs, clock, signal, describe }, serving.promise);
  return `etcd://${address}/server`;
}

/** Parses the log line of etcd (3.4 or newer) that has its client address; returns undefined for any other line. */
export function parseEtcdAddress(line: string): string | undefined {
  return /"serving client traffic insecurely;.*"address":"(127\.0\.0\.1:\d+)"/.exec(line)?.[1];
}
