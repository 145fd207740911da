import { hashText } from "../hash/xxhash64.ts";

/**
 * Rendezvous hashing, also called highest random weight (Thaler and Ravishankar, 1998), for subsets as in gRFC A68. The key is the
 * client's and takes the place of the salt there: clients with different keys choose unrelated subsets, and a client whose key
 * lasts chooses the same subset after a restart.
 *
 * The order of `members` does not matter. A member that comes or goes replaces at most one of the chosen ones; the others keep
 * their order. Of equal members the first is chosen first. O(n log n): for updates, not for calls.
 *
 * @returns the indices of the `count` members with the highest scores, best first; of all members when there are fewer
 */
export function rankByRendezvous(key: string, members: readonly string[], count: number): number[] {
  const scores = Float64Array.from(members, (member) => hashText(`${key}\n${member}`));
  return [...members.keys()].sort((a, b) => (scores[b] as number) - (scores[a] as number)).slice(0, Math.max(0, count));
}
