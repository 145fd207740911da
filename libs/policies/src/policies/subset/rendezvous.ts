import { hashText } from "../hash/xxhash64.ts";

/**
 * The indices of the `count` members that score highest with `key`, best first, or of all when there are fewer:
 * rendezvous or highest random weight hashing (Thaler and Ravishankar, 1998), for subsets as in gRFC A68. The key
 * stands for the client, as the salt there: clients of different keys choose subsets that have nothing to do with each
 * other, and a client of a lasting key chooses the same subset after a restart.
 *
 * The order of the list does not matter. A member that comes or goes replaces at most one of the chosen; the others keep
 * their order. Of equal members the first is chosen first. O(n log n), for updates and not for calls.
 */
export function rankByRendezvous(key: string, members: readonly string[], count: number): number[] {
  const scores = Float64Array.from(members, (member) => hashText(`${key}\n${member}`));
  return [...members.keys()].sort((a, b) => (scores[b] as number) - (scores[a] as number)).slice(0, Math.max(0, count));
}
