import { credentials, Metadata } from "@grpc/grpc-js";
import { systemClock } from "@grpc-lb/core";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";

/** Continuous calls of many keys from this process, over one channel. */
export interface KeyedLoad {
  /** The pods that answered each key's calls, in order, without repetitions of the same pod. */
  readonly trails: ReadonlyMap<string, readonly string[]>;
  /** The error message of each failed call. */
  readonly errors: readonly string[];
  /** Clears the trails. */
  clear(): void;
  /** The least number of calls that any key has made. */
  rounds(): number;
  /** Stops calling and resolves when the calls in flight have ended. */
  stop(): Promise<void>;
}

export interface KeyedLoadOptions {
  readonly target: string;
  /** A load balancing policy that hashes the header `hash-key`. */
  readonly policy: Readonly<Record<string, unknown>>;
  readonly keys: readonly string[];
  /** The pause between two calls of one key, in milliseconds. */
  readonly intervalMs: number;
}

/** Calls continuously for each key. */
export function startKeyedLoad({ target, policy, keys, intervalMs }: KeyedLoadOptions): KeyedLoad {
  const client = new PodServiceClient(target, credentials.createInsecure(), {
    "grpc.enable_http_proxy": 0,
    "grpc.service_config": JSON.stringify({ loadBalancingConfig: [policy] }),
    "grpc.service_config_disable_resolution": 1,
  });
  const trails = new Map(keys.map((key) => [key, [] as string[]]));
  const rounds = new Map(keys.map((key) => [key, 0]));
  const errors: string[] = [];
  const stopping = new AbortController();
  const call = (key: string) =>
    new Promise<void>((resolve) => {
      const metadata = new Metadata();
      metadata.set("hash-key", key);
      client.getPod({}, metadata, { deadline: Date.now() + 5_000 }, (error, response) => {
        const pod = response?.pod?.name ?? "";
        const trail = trails.get(key);
        if (error) errors.push(error.message);
        else if (trail?.at(-1) !== pod) trail?.push(pod);
        rounds.set(key, (rounds.get(key) ?? 0) + 1);
        resolve();
      });
    });
  const work = async (key: string, index: number) => {
    await systemClock.sleep((index / keys.length) * intervalMs, stopping.signal); // not all at the same time
    while (!stopping.signal.aborted) {
      await call(key);
      await systemClock.sleep(intervalMs, stopping.signal);
    }
  };
  const ended = Promise.all(keys.map(work)).then(() => client.close());
  return {
    trails,
    errors,
    clear() {
      for (const trail of trails.values()) trail.length = 0;
    },
    rounds: () => Math.min(...rounds.values()),
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}
