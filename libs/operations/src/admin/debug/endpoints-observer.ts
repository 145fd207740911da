import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Snapshot } from "@grpc-lb/discovery";
import type { policyChannels, UpdateMessage } from "@grpc-lb/policies";
import type { resolverChannels, SnapshotMessage } from "@grpc-lb/resolver";
import type { DispatcherSnapshotMessage, dispatcherChannels } from "@grpc-lb/resolver/undici";

// The names as types, so that an HTTP client loads no policies, and a client of gRPC no undici.
const names: {
  readonly snapshot: (typeof resolverChannels)["snapshot"];
  readonly update: (typeof policyChannels)["update"];
  readonly dispatched: (typeof dispatcherChannels)["snapshot"];
} = {
  snapshot: "grpc-lb:resolver:snapshot",
  update: "grpc-lb:policies:update",
  dispatched: "grpc-lb:dispatcher:snapshot",
};

/** How many targets are remembered: a process has a few. */
const maxTargets = 100;

/** Remembers of each target the latest snapshot and the configuration of its policy, from the diagnostics channels of the libraries. */
export class EndpointsObserver {
  readonly #snapshots = new Map<string, Snapshot>();
  readonly #configs = new Map<string, unknown>();
  readonly #listeners = {
    [names.snapshot]: (message: unknown) => {
      const { target, snapshot } = message as SnapshotMessage;
      remember(this.#snapshots, target, snapshot);
    },
    [names.dispatched]: (message: unknown) => {
      const { target, snapshot } = message as DispatcherSnapshotMessage;
      remember(this.#snapshots, target ?? snapshot.subject, snapshot);
    },
    [names.update]: (message: unknown) => {
      const { target, policy, config } = message as UpdateMessage;
      remember(this.#configs, `${policy} ${target}`, config);
    },
  };

  /** Observes from now on: what was published before is not known. */
  constructor() {
    for (const [name, listener] of Object.entries(this.#listeners)) subscribe(name, listener);
  }

  snapshotOf(target: string): Snapshot | undefined {
    return this.#snapshots.get(target);
  }

  configOf(policy: string, target: string | undefined): unknown {
    return this.#configs.get(`${policy} ${target}`);
  }

  close(): void {
    for (const [name, listener] of Object.entries(this.#listeners)) unsubscribe(name, listener);
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= maxTargets) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
