import { join } from "node:path";
import type { Clock } from "@grpc-lb/core";
import { within } from "./deadline.ts";
import type { ProcessGroup } from "./process-group.ts";

/** A server of the suite that stands for a pod, and serves. */
export interface PodServer {
  readonly podName: string;
  readonly pid: number;
  readonly httpPort: number;
  readonly grpcPort: number;
}

const main = join(import.meta.dirname, "../../../server/src/main.ts");
const startTimeoutMs = 20_000;

/** What a server is given beside its name and address. */
export interface PodServerOptions {
  readonly flags?: readonly string[];
  /** The registries in which it is to stand. */
  readonly registries?: readonly string[];
}

/**
 * Starts a server on free ports and waits until it serves and stands in the registries.
 *
 * @throws ProgramError when that takes longer than 20 s. A server that ends breaks the group, which its owner watches.
 */
export async function startPodServer(
  group: ProcessGroup,
  podName: string,
  clock: Clock,
  signal: AbortSignal,
  { flags = [], registries = [] }: PodServerOptions = {},
): Promise<PodServer> {
  const serving = Promise.withResolvers<Pick<PodServer, "httpPort" | "grpcPort">>();
  const registered = Promise.withResolvers<void>();
  let missing = registries.length;
  if (missing === 0) registered.resolve();
  const address = ["--bind-address", "127.0.0.1", "--http-port", "0", "--grpc-port", "0"];
  const register = registries.flatMap((target) => ["--register", target]);
  const child = group.start({
    name: podName,
    main,
    args: ["--pod-name", podName, ...address, "--drain-delay", "0s", ...register, ...flags],
    onStdout(line) {
      const ports = parseServingLine(line);
      if (ports) serving.resolve(ports);
      if (isRegisteredLine(line) && --missing === 0) registered.resolve();
    },
  });
  const describe = () => {
    const what = missing > 0 ? `serve and stand in ${registries.join(" and ")}` : "serve";
    return `${podName} did not ${what} within ${startTimeoutMs / 1000} s; ${group.describeLastWords(podName)}`;
  };
  const started = Promise.all([serving.promise, registered.promise]);
  const [ports] = await within({ ms: startTimeoutMs, clock, signal, describe }, started);
  return { podName, pid: child.pid ?? 0, ...ports };
}

/** Reads the log line with which a server says that it serves; undefined for any other line. */
export function parseServingLine(line: string): { httpPort: number; grpcPort: number } | undefined {
  const { msg, httpPort, grpcPort } = parseLogLine(line);
  if (msg !== "serving" || typeof httpPort !== "number" || typeof grpcPort !== "number") return undefined;
  return { httpPort, grpcPort };
}

/** Whether a log line says that the server stands in a registry, one of those that it was given. */
export function isRegisteredLine(line: string): boolean {
  return parseLogLine(line).msg === "registered";
}

function parseLogLine(line: string): Readonly<Record<string, unknown>> {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === "object" && entry !== null ? (entry as Record<string, unknown>) : {};
  } catch {
    return {}; // a warning of Node's, say: not a log line
  }
}
