import type { Child } from "./child.ts";

/** The READY children; with them the ejected ones if fewer than `panicThreshold` percent are READY. */
export function selectReady<EndpointState>(
  children: readonly Child<EndpointState>[],
  panicThreshold: number,
): Child<EndpointState>[] {
  const ready = children.filter((child) => child.isReady);
  if (ready.length * 100 >= panicThreshold * children.length) return ready;
  return children.filter((child) => child.isReady || child.connected);
}

/**
 * Selects the children whose connections are expected to last. If there is none: those that have settled after a short-lived connection;
 * then those that have had no short-lived one; then all.
 *
 * @returns `ready`: the selected children; `nextMs`: when the next child joins them, in the clock's milliseconds, or Infinity
 */
export function selectTrusted<EndpointState>(
  connected: readonly Child<EndpointState>[],
  nowMs: number,
): { readonly ready: readonly Child<EndpointState>[]; readonly nextMs: number } {
  let nextMs = Number.POSITIVE_INFINITY;
  const settled = connected.filter(({ record }) => record.isSettled);
  const trusted = settled.filter(({ record: { trustedAtMs } }) => {
    if (trustedAtMs <= nowMs) return true;
    nextMs = Math.min(nextMs, trustedAtMs);
    return false;
  });
  if (trusted.length > 0) return { ready: trusted, nextMs };
  const neverShort = connected.filter(({ record }) => record.shortLived === 0);
  const ready = [settled, neverShort, connected].find((some) => some.length > 0) ?? [];
  return { ready, nextMs };
}
