import { startConsul } from "./consul.ts";
import { startEtcd } from "./etcd.ts";
import type { RegistryName, RegistryOptions, RegistryTargets } from "./registry.ts";

const starters: Readonly<Record<RegistryName, (options: RegistryOptions) => Promise<string>>> = {
  etcd: startEtcd,
  consul: startConsul,
};

/**
 * Starts the registries named, each once, and waits until all of them can be used.
 *
 * @throws ProgramError as `startEtcd` and `startConsul`
 */
export async function startRegistries(
  names: readonly RegistryName[],
  options: RegistryOptions,
): Promise<RegistryTargets> {
  const wanted = [...new Set(names)];
  return Object.fromEntries(await Promise.all(wanted.map(async (name) => [name, await starters[name](options)])));
}
