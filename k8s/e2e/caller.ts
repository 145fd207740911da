import { startChild } from "@grpc-lb/program";
import type { Kubectl } from "../cluster/kubectl.ts";
import { type ClientLog, readCallLines } from "./client.ts";
import { copyDeployment } from "./copy-deployment.ts";
import { putFile } from "./exec.ts";
import { until } from "./until.ts";

/** The clients that can be started in a pod of their own, by what they speak. */
export const protocols = ["grpc", "http"] as const;
export type Protocol = (typeof protocols)[number];

/** How a client differs from the deployed one of its kind. */
export interface CallerOptions {
  /** Default: the Service `server`. */
  readonly target?: string;
  /** Variables, `NAME=value`; an empty value counts as not set. */
  readonly env?: readonly string[];
  readonly flags?: readonly string[];
  /** Sent with each call instead of the token of the pod; empty for none. */
  readonly token?: string;
}

/** A client that calls until it is stopped. */
export interface RunningCaller {
  log(): ClientLog;
  /** Waits until it has made `count` more calls. */
  nextCalls(count: number): Promise<void>;
  /** Replaces its token, which it reads every 10 s. */
  setToken(token: string): Promise<void>;
  stop(): Promise<void>;
}

const targets: Readonly<Record<Protocol, string>> = { grpc: "server:30051", http: "http://server" };

/** The pod in which clients of a protocol are started. */
export const callerPod = (protocol: Protocol) => `deployment/caller-${protocol}`;

/** Deploys pods like those of the clients that do nothing: other clients are started in them, with their identity and files. */
export async function deployCallers(kubectl: Kubectl): Promise<void> {
  const command = ["sleep", "infinity"];
  for (const protocol of protocols)
    await copyDeployment(kubectl, `client-${protocol}`, `caller-${protocol}`, { command });
  for (const protocol of protocols) await kubectl.run(["rollout", "status", callerPod(protocol), "--timeout=120s"]);
}

/** Starts a client that makes one call, and returns its lines, at least one. */
export async function callOnce(kubectl: Kubectl, protocol: Protocol, options: CallerOptions = {}): Promise<string[]> {
  const command = await prepare(kubectl, protocol, "/dev/shm/token", options);
  const program = ["timeout", "30", ...command, "--count=1"].join(" ");
  const { stdout, problem } = await kubectl.try(["exec", callerPod(protocol), "--", "sh", "-c", `${program} 2>&1`]);
  const lines = stdout.split("\n").filter((line) => line !== "" && !line.startsWith("Policy: "));
  return lines.length > 0 ? lines : [problem];
}

/** Starts a client that calls every 300 ms. */
export async function startCaller(
  kubectl: Kubectl,
  protocol: Protocol,
  options: CallerOptions,
): Promise<RunningCaller> {
  const tokenFile = "/dev/shm/caller-token";
  const command = await prepare(kubectl, protocol, tokenFile, options);
  const lines: string[] = [];
  const onLine = (line: string) => void lines.push(line);
  const child = startChild({
    command: "kubectl",
    args: [...kubectl.where, "exec", callerPod(protocol), "--", ...command, "--interval=300ms"],
    env: process.env as Record<string, string>,
    onStdout: onLine,
    onStderr: onLine,
  });
  let hasEnded = false;
  void child.exited.then(() => {
    hasEnded = true;
  });
  const log = () => readCallLines(lines.join("\n"));
  return {
    log,
    async nextCalls(count) {
      const before = log().calls.length;
      await until(`${count} calls of caller-${protocol}`, 120_000, async () => {
        const { calls, errors, others } = log();
        const made = calls.length - before;
        if (made < count && hasEnded) throw new Error(`caller-${protocol} has ended: ${lines.at(-1)}`);
        return made >= count
          ? { value: true }
          : { seen: `${made} calls, ${[...errors, ...others].at(-1) ?? "no error"}` };
      });
    },
    setToken: (token) => putFile(kubectl, callerPod(protocol), tokenFile, token),
    async stop() {
      await child.stop();
    },
  };
}

async function prepare(
  kubectl: Kubectl,
  protocol: Protocol,
  tokenFile: string,
  { target = targets[protocol], env = [], flags = [], token }: CallerOptions,
): Promise<readonly string[]> {
  if (token) await putFile(kubectl, callerPod(protocol), tokenFile, token);
  const identity = token === undefined ? [] : [`TOKEN_FILE=${token && tokenFile}`];
  const program = ["node", "/app/dist/app/main.cjs", `--target=${target}`, "--admin-port=0", "--timeout=5s"];
  return ["env", ...env, ...identity, ...program, ...flags];
}
