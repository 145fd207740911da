import { systemClock } from "@grpc-lb/core";
import { ProgramError } from "@grpc-lb/program";

/**
 * Calls `check` every half second until it returns a value; after `limitMs` throws an error with `what` and the last `seen`. A failed
 * request to the cluster is something seen too, since an API server or kubelet under load refuses one now and then.
 */
export async function until<T>(
  what: string,
  limitMs: number,
  check: () => Promise<{ readonly value: T } | { readonly seen: string }>,
): Promise<T> {
  const deadline = systemClock.now() + limitMs;
  for (;;) {
    const result = await check().catch((error: unknown) => {
      if (error instanceof ProgramError) return { seen: error.message };
      throw error;
    });
    if ("value" in result) return result.value;
    if (systemClock.now() > deadline)
      throw new Error(`waited ${limitMs / 1000} s for ${what}; last seen: ${result.seen}`);
    await systemClock.sleep(500);
  }
}
