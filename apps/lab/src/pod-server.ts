import { join } from "node:path";
import type { Clock } from "@grpc-lb/runtime";
import { within } from "./deadline.ts";
import type { ProcessGroup } from "./process-group.ts";

/** A server of the suite that stands for a pod, and serves. */
export interface PodServer {
  readonly podName: string;
  readonly pid: number;
  readonly httpPort: number;
  readonly grpcPort: number;
}

const main = join(import.meta.dirname, "../../server/src/main.ts");
const startTimeoutMs = 20_000;

/**
 * Starts a server on free ports and waits until it serves.
 *
 * @param flags what it is given beside its name and address
 * @throws ProgramError when it does not serve within 20 s. A server that ends breaks the group, which its owner watches.
 */
export async function startPodServer(
  group: ProcessGroup,
  podName: string,
  clock: Clock,
  signal: AbortSignal,
  flags: readonly string[] = [],
): Promise<PodServer> {
  const serving = Promise.withResolvers<Pick<PodServer, "httpPort" | "grpcPort">>();
  const address = ["--bind-address", "127.0.0.1", "--http-port", "0", "--grpc-port", "0"];
  const child = group.start({
    name: podName,
    main,
    args: ["--pod-name", podName, ...address, "--drain-delay", "0s", ...flags],
    onStdout(line) {
      const ports = parseServingLine(line);
      if (ports) serving.resolve(ports);
    },
  });
  const describe = () =>
    `${podName} did not serve within ${startTimeoutMs / 1000} s; ${group.describeLastWords(podName)}`;
  const ports = await within({ ms: startTimeoutMs, clock, signal, describe }, serving.promise);
  return { podName, pid: child.pid ?? 0, ...ports };
}

/** Reads the log line with which a server says that it serves; undefined for any other line. */
export function parseServingLine(line: string): { httpPort: number; grpcPort: number } | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return undefined; // a warning of Node's, say: not a log line
  }
  if (typeof entry !== "object" || entry === null) return undefined;
  const { msg, httpPort, grpcPort } = entry as Record<string, unknown>;
  if (msg !== "serving" || typeof httpPort !== "number" || typeof grpcPort !== "number") return undefined;
  return { httpPort, grpcPort };
}
