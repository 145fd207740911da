import type { Random } from "@grpc-lb/core";
import { minRefreshMs } from "./target.ts";

/**
 * When to look again, in milliseconds: when the answer expires, up to a tenth later, so that many clients of one name do not
 * ask together and a cache in between has asked anew. Never sooner than in a second, whatever the TTL, and never later than
 * `refreshMs`.
 */
export function chooseInterval(ttlMs: number, refreshMs: number, random: Random): number {
  const jitter = random() * 0.1;
  if (ttlMs >= refreshMs) return Math.max(minRefreshMs, refreshMs * (1 - jitter));
  return Math.min(refreshMs, Math.max(minRefreshMs, ttlMs) * (1 + jitter));
}
