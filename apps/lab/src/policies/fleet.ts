import type { Clock, Random } from "@grpc-lb/core";
import { type PodServer, startPodServer } from "../processes/pod-server.ts";
import { type ProcessGroup, watchdogMain } from "../processes/process-group.ts";

/** How a server behaves. */
export type ServerKind = "good" | "slow" | "failing" | "frozen";

/** A running server of the comparison. */
export interface FleetServer extends PodServer {
  readonly kind: ServerKind;
}

export const goodLatencyMs = 10;
export const slowLatencyMs = 100;

/** The capacity is never reached; the reported load is the part of it that is in use. */
const reporting = ["--load-report", "--capacity", "64"];
const good = { kind: "good", flags: ["--latency", `${goodLatencyMs}ms`, ...reporting] } as const;

const specs: readonly { readonly name: string; readonly kind: ServerKind; readonly flags: readonly string[] }[] = [
  { name: "good-1", ...good },
  { name: "good-2", ...good },
  { name: "good-3", ...good },
  { name: "slow", kind: "slow", flags: ["--latency", `${slowLatencyMs}ms`, ...reporting] },
  { name: "failing", kind: "failing", flags: ["--error-rate", "1", ...reporting] },
  { name: "frozen", ...good, kind: "frozen" },
];

export const goodServers = specs.filter(({ kind }) => kind === "good").length;

/** Six servers: three good ones, a slow one, one that fails every call, and one that can be frozen. */
export class Fleet {
  readonly servers: readonly FleetServer[];
  readonly #frozenPid: number;

  private constructor(servers: readonly FleetServer[]) {
    this.servers = servers;
    this.#frozenPid = servers.find(({ kind }) => kind === "frozen")?.pid ?? 0;
  }

  /** Starts the servers and waits until they serve. A frozen server ignores SIGTERM, so call `thaw` before `group.stop`. */
  static async start(group: ProcessGroup, clock: Clock, signal: AbortSignal): Promise<Fleet> {
    const servers = await Promise.all(
      specs.map(async ({ name, kind, flags }): Promise<FleetServer> => {
        return { kind, ...(await startPodServer(group, name, clock, signal, { flags })) };
      }),
    );
    const fleet = new Fleet(servers);
    group.start({ name: "watchdog", main: watchdogMain, args: ["SIGCONT", String(fleet.#frozenPid)] });
    return fleet;
  }

  /** The target of all servers, in random order. */
  target(random: Random): string {
    return `ipv4:${shuffle(this.servers, random).map(addressOf).join(",")}`;
  }

  /** Stops the process by SIGSTOP. Its connections stay open; it accepts calls and never answers. */
  freeze(): void {
    process.kill(this.#frozenPid, "SIGSTOP");
  }

  /** Lets the process go on. Does nothing when it is not frozen. */
  thaw(): void {
    try {
      process.kill(this.#frozenPid, "SIGCONT");
    } catch {
      // ESRCH: the process has already exited
    }
  }
}

export const addressOf = ({ grpcPort }: PodServer) => `127.0.0.1:${grpcPort}`;

/** Fisher-Yates. */
function shuffle<T>(items: readonly T[], random: Random): T[] {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j] as T, shuffled[i] as T];
  }
  return shuffled;
}
