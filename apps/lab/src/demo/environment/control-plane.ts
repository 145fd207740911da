import { join } from "node:path";
import type { Clock } from "@grpc-lb/core";
import { within } from "../../processes/deadline.ts";
import type { ProcessGroup } from "../../processes/process-group.ts";
import { startAdvice, startLimitMs } from "../../processes/start-limit.ts";
import type { Addresses, Strategy } from "../strategies.ts";

const main = join(import.meta.dirname, "../../../../control-plane/src/main.ts");
const member = "control plane";

/** What the control plane needs. */
export interface ControlPlaneOptions {
  readonly group: ProcessGroup;
  readonly clock: Clock;
  /** Ends the wait for it. */
  readonly signal: AbortSignal;
  readonly addresses: Pick<Addresses, "kubeconfig" | "controlPlanePort">;
}

/**
 * Starts the control plane if a strategy asks it, and waits until it serves the pods of the Kubernetes API.
 *
 * @throws ProgramError when it does not serve within 60 s. When it exits early, `group.failed` rejects.
 */
export async function startControlPlane(
  strategies: readonly Strategy[],
  { group, clock, signal, addresses }: ControlPlaneOptions,
): Promise<void> {
  if (!strategies.some(({ usesControlPlane }) => usesControlPlane)) return;
  const serving = Promise.withResolvers<void>();
  group.start({
    name: member,
    main,
    args: [
      ...["--bind-address", "127.0.0.1", "--port", String(addresses.controlPlanePort), "--drain-delay", "0s"],
      ...["--serve", "server=kubernetes:///server.default:grpc"],
    ],
    env: { KUBECONFIG: addresses.kubeconfig },
    onStdout(line) {
      if (line.includes('"msg":"serving"')) serving.resolve();
    },
  });
  const describe = () =>
    `the control plane did not serve within ${startLimitMs / 1000} s; ${startAdvice}; ${group.describeLastLines(member)}`;
  await within({ ms: startLimitMs, clock, signal, describe }, serving.promise);
}
