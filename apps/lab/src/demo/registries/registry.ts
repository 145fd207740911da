import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Clock } from "@grpc-lb/core";
import type { ProcessGroup } from "../../processes/process-group.ts";

/** The registries that the lab can start; each is also the name of its program and of the scheme of its targets. */
export type RegistryName = "etcd" | "consul";

/** Where servers register and clients look, of each registry that runs: one text for both. */
export type RegistryTargets = Readonly<Partial<Record<RegistryName, string>>>;

/** What a registry is started with. */
export interface RegistryOptions {
  readonly group: ProcessGroup;
  readonly clock: Clock;
  /** Ends the wait for it. */
  readonly signal: AbortSignal;
  /** Where it may keep its data. */
  readonly folder: string;
}

export const registryTimeoutMs = 20_000;

/** How a registry's program shows that it runs on this machine. */
const proofs: Readonly<Record<RegistryName, readonly string[]>> = { etcd: ["--version"], consul: ["version"] };

/** Why a registry cannot be started on this machine; undefined when it can. */
export async function whyNoRegistry(name: RegistryName): Promise<string | undefined> {
  try {
    await promisify(execFile)(name, proofs[name], { timeout: 10_000 });
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? `there is no ${name} on the PATH` : `${name} is on the PATH, but does not run`;
  }
}
