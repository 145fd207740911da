import { join } from "node:path";
import type { Clock } from "@grpc-lb/core";
import { within } from "./deadline.ts";
import type { ProcessGroup } from "./process-group.ts";
import { startAdvice, startLimitMs } from "./start-limit.ts";

/** A running process of `apps/server` that represents a pod. */
export interface PodServer {
  readonly podName: string;
  readonly pid: number;
  readonly httpPort: number;
  readonly grpcPort: number;
}

const main = join(import.meta.dirname, "../../../server/src/main.ts");

/** Optional settings of a server. */
export interface PodServerOptions {
  /** Further flags of `apps/server`. Default: none. */
  readonly flags?: readonly string[];
  /** Targets of the registries in which the server registers itself. Default: none. */
  readonly registries?: readonly string[];
  /** Whether to wait until it is registered. Default: true. */
  readonly waitsForRegistration?: boolean;
  /** The name of the process, where two represent the same pod. Default: the name of the pod. */
  readonly memberName?: string;
}

/**
 * Starts a server on free ports of 127.0.0.1 and waits until it serves and, by default, is registered in every registry.
 *
 * @throws ProgramError when that takes longer than 60 s, or the server exits before. When it exits later, `group.failed` rejects.
 */
export async function startPodServer(
  group: ProcessGroup,
  podName: string,
  clock: Clock,
  signal: AbortSignal,
  options: PodServerOptions = {},
): Promise<PodServer> {
  const { flags = [], registries = [], waitsForRegistration = true, memberName = podName } = options;
  const serving = Promise.withResolvers<Pick<PodServer, "httpPort" | "grpcPort">>();
  const registered = Promise.withResolvers<void>();
  const exitedEarly = Promise.withResolvers<never>();
  let hasStarted = false;
  let missing = waitsForRegistration ? registries.length : 0;
  if (missing === 0) registered.resolve();
  const address = ["--bind-address", "127.0.0.1", "--http-port", "0", "--grpc-port", "0"];
  const register = registries.flatMap((target) => ["--register", target]);
  const child = group.start({
    name: memberName,
    main,
    args: ["--pod-name", podName, ...address, "--drain-delay", "0s", ...register, ...flags],
    onStdout(line) {
      const ports = parseServingLine(line);
      if (ports) serving.resolve(ports);
      if (isRegisteredLine(line) && --missing === 0) registered.resolve();
    },
    onEarlyExit: (error) => (hasStarted ? group.fail(error) : exitedEarly.reject(error)),
  });
  const describe = () => {
    const what = missing > 0 ? `serve and register at ${registries.join(" and ")}` : "serve";
    return `${memberName} did not ${what} within ${startLimitMs / 1000} s; ${startAdvice}; ${group.describeLastLines(memberName)}`;
  };
  const started = Promise.all([serving.promise, registered.promise]);
  const deadline = { ms: startLimitMs, clock, signal, describe };
  const [ports] = await within(deadline, Promise.race([started, exitedEarly.promise]));
  hasStarted = true;
  return { podName, pid: child.pid ?? 0, ...ports };
}

/** Parses the log line `serving` of a server; returns undefined for any other line. */
export function parseServingLine(line: string): { httpPort: number; grpcPort: number } | undefined {
  const { msg, httpPort, grpcPort } = parseLogLine(line);
  if (msg !== "serving" || typeof httpPort !== "number" || typeof grpcPort !== "number") return undefined;
  return { httpPort, grpcPort };
}

/** Whether the line is a server's log line `registered`, which it writes once per registry. */
export function isRegisteredLine(line: string): boolean {
  return parseLogLine(line).msg === "registered";
}

function parseLogLine(line: string): Readonly<Record<string, unknown>> {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === "object" && entry !== null ? (entry as Record<string, unknown>) : {};
  } catch {
    return {}; // not a log line, for example a warning of Node's
  }
}
