import type { Clock } from "@grpc-lb/core";
import { type PodServer, type PodServerOptions, startPodServer } from "../processes/pod-server.ts";
import type { ProcessGroup } from "../processes/process-group.ts";

/** A pod of the demo. */
export interface Pod extends PodServer {
  /**
   * The same pod with a limit on the age of gRPC connections, which is a setting of the server. Undefined when no strategy
   * that runs needs it.
   */
  readonly aging?: PodServer;
}

/** Of grpc-js's connections, ±10 %: the least that the server accepts. */
export const maxConnectionAgeMs = 1_000;

/** How a pod is started. */
export interface PodOptions extends Omit<PodServerOptions, "memberName"> {
  /** Whether the pod has `aging`. */
  readonly hasAging: boolean;
}

/** The names of a pod's processes in the group. */
export function membersOf(podName: string): readonly string[] {
  return [podName, agingMember(podName)];
}

const agingMember = (podName: string) => `${podName} with --max-connection-age`;

/** Starts the processes of a pod, and waits as `startPodServer` does. */
export async function startPod(
  group: ProcessGroup,
  podName: string,
  clock: Clock,
  signal: AbortSignal,
  { hasAging, flags = [], ...options }: PodOptions,
): Promise<Pod> {
  const start = (more: PodServerOptions) => startPodServer(group, podName, clock, signal, more);
  const agingFlags = [...flags, "--max-connection-age", `${maxConnectionAgeMs}ms`];
  const [server, aging] = await Promise.all([
    start({ ...options, flags }),
    hasAging ? start({ flags: agingFlags, memberName: agingMember(podName) }) : undefined,
  ]);
  return aging ? { ...server, aging } : server;
}

/** The process ids of a pod. */
export const pidsOf = ({ pid, aging }: Pod): readonly number[] => (aging ? [pid, aging.pid] : [pid]);
