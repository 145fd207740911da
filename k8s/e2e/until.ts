import { systemClock } from "@grpc-lb/core";

/** Asks every half second until `ask` gives a value; after `limitMs` fails with `what` and what was seen last. */
export async function until<T>(
  what: string,
  limitMs: number,
  ask: () => Promise<{ readonly value: T } | { readonly seen: string }>,
): Promise<T> {
  const deadline = systemClock.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if ("value" in answer) return answer.value;
    if (systemClock.now() > deadline)
      throw new Error(`${what} did not come true in ${limitMs / 1000} s; seen: ${answer.seen}`);
    await systemClock.sleep(500);
  }
}
