import type { Clock } from "@grpc-lb/core";
import type { ProcessGroup } from "../../processes/process-group.ts";

/** The registries that the lab can start. The name is also the program's name and the scheme of its targets. */
export type RegistryName = "etcd" | "consul";

/** The target of each registry that runs, for servers to register at and for clients to watch. */
export type RegistryTargets = Readonly<Partial<Record<RegistryName, string>>>;

/** Options for the start of a registry. */
export interface RegistryOptions {
  readonly group: ProcessGroup;
  readonly clock: Clock;
  /** Ends the wait for the registry. */
  readonly signal: AbortSignal;
  /** Where the registry may store its data. */
  readonly folder: string;
}
