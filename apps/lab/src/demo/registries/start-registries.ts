import { startConsul } from "./consul.ts";
import { startEtcd } from "./etcd.ts";
import type { RegistryName, RegistryOptions, RegistryTargets } from "./registry.ts";

const starters: Readonly<Record<RegistryName, (options: RegistryOptions) => Promise<string>>> = {
  etcd: startEtcd,
  consul: startConsul,
};

/**
 * Starts the named registries, each once, and waits until all are ready.
 *
 * @throws ProgramError when one is not ready within 20 s
 */
export async function startRegistries(
  names: readonly RegistryName[],
  options: RegistryOptions,
): Promise<RegistryTargets> {
  const unique = [...new Set(names)];
  return Object.fromEntries(await Promise.all(unique.map(async (name) => [name, await starters[name](options)])));
}
