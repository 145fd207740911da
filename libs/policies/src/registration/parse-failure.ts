import { messageOf } from "@grpc-lb/core";

let latest: string | undefined;

/**
 * Runs a parser for grpc-js, and keeps its error until the end of the current microtask: grpc-js drops it, and creates its default
 * configuration right afterwards.
 */
export function keepFailure<T>(policy: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    latest = `${policy}: ${messageOf(error)}`;
    queueMicrotask(() => {
      latest = undefined;
    });
    throw error;
  }
}

/** The error of the configuration that was parsed last, if grpc-js has just dropped it. */
export const latestFailure = (): string | undefined => latest;
