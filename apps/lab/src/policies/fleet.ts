import { join } from "node:path";
import type { Clock, Random } from "@grpc-lb/core";
import { type PodServer, startPodServer } from "../processes/pod-server.ts";
import type { ProcessGroup } from "../processes/process-group.ts";

/** What a server is like. */
export type ServerKind = "good" | "slow" | "failing" | "frozen";

/** A server that takes calls, and what it is like. */
export interface FleetServer extends PodServer {
  readonly kind: ServerKind;
}

export const goodLatencyMs = 10;
export const slowLatencyMs = 100;

/** More places than are ever taken: what a server reports as its load is how many of them are. */
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

const thaw = join(import.meta.dirname, "thaw-with-lab.ts");

/** Six servers: three equal ones, one slow, one that fails at once, and one that is frozen and goes on at will. */
export class Fleet {
  readonly servers: readonly FleetServer[];
  readonly #frozenPid: number;

  private constructor(servers: readonly FleetServer[]) {
    this.servers = servers;
    this.#frozenPid = servers.find(({ kind }) => kind === "frozen")?.pid ?? 0;
  }

  /** Starts the servers and waits until they serve. Who froze one must thaw it before it stops the group. */
  static async start(group: ProcessGroup, clock: Clock, signal: AbortSignal): Promise<Fleet> {
    const servers = await Promise.all(
      specs.map(async ({ name, kind, flags }): Promise<FleetServer> => {
        return { kind, ...(await startPodServer(group, name, clock, signal, { flags })) };
      }),
    );
    const fleet = new Fleet(servers);
    group.start({ name: "thaw", main: thaw, args: [String(fleet.#frozenPid)] });
    return fleet;
  }

  /** All servers as one target, in an order that `random` makes. */
  target(random: Random): string {
    return `ipv4:${shuffle(this.servers, random).map(addressOf).join(",")}`;
  }

  /** Its connections stay, it takes what is sent, and never answers. */
  freeze(): void {
    process.kill(this.#frozenPid, "SIGSTOP");
  }

  thaw(): void {
    try {
      process.kill(this.#frozenPid, "SIGCONT");
    } catch {
      // ESRCH: it has ended, and is no longer frozen
    }
  }
}

export const addressOf = ({ grpcPort }: PodServer) => `127.0.0.1:${grpcPort}`;

/** Fisher and Yates. */
function shuffle<T>(items: readonly T[], random: Random): T[] {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j] as T, shuffled[i] as T];
  }
  return shuffled;
}
