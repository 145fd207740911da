import type { ProcessGroup } from "../../processes/process-group.ts";
import type { ProgramName } from "../programs.ts";
import { consulMember, startConsul } from "./consul.ts";
import { etcdMember, startEtcd } from "./etcd.ts";
import type { RegistryName, RegistryOptions, RegistryTargets } from "./registry.ts";

const starters: Readonly<Record<RegistryName, (options: RegistryOptions) => Promise<string>>> = {
  etcd: startEtcd,
  consul: startConsul,
};

const members: Readonly<Record<RegistryName, string>> = { etcd: etcdMember, consul: consulMember };

/**
 * Starts the named registries, each once, and waits until all are ready.
 *
 * @throws ProgramError when one is not ready within 60 s
 */
export async function startRegistries(
  names: readonly RegistryName[],
  options: RegistryOptions,
): Promise<RegistryTargets> {
  const unique = [...new Set(names)];
  return Object.fromEntries(await Promise.all(unique.map(async (name) => [name, await starters[name](options)])));
}

/** Whether a program is a registry. */
export const isRegistry = (name: ProgramName): name is RegistryName => Object.hasOwn(starters, name);

/** Freezes the registries that run by SIGSTOP, so that they accept requests and never answer, or lets them go on. */
export function setRegistriesFrozen(registries: RegistryTargets, group: ProcessGroup, isFrozen: boolean): void {
  for (const name of Object.keys(registries) as RegistryName[]) {
    group.signal(members[name], isFrozen ? "SIGSTOP" : "SIGCONT");
  }
}
