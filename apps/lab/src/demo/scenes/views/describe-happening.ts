import type { Happening } from "../pod-fleet.ts";

/** Describes what happened, without its time. */
export function describeHappening({ what, pod = "" }: Happening): string {
  switch (what) {
    case "ready":
      return `${pod} is ready`;
    case "start-failed":
      return `${pod} did not start`;
    case "killed":
      return `${pod} is killed (SIGKILL)`;
    case "frozen":
      return `${pod} is frozen (SIGSTOP)`;
    case "slow":
      return `${pod} gets a tenth of the CPU time`;
    case "recovered":
      return `${pod} goes on`;
    case "draining":
      return `${pod} is drained (SIGTERM)`;
    case "unpublished":
      return `${pod} is unpublished: the cluster has noticed`;
    case "registry-away":
      return "API server, etcd, Consul, DNS server and file are away";
    case "registry-back":
      return "API server, etcd, Consul, DNS server and file are back";
  }
}

/** The time since the start of a scene: ` 1.0 s`. */
export const sinceStart = (atMs: number, startMs: number) => `${(Math.max(0, atMs - startMs) / 1000).toFixed(1)} s`;
