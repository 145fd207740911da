import { messageOf } from "@grpc-lb/core";
import { isRegistered, type PolicyJson, parsePolicy } from "../grpc-js.ts";

let failures: string[] = [];
let depth = 0;

/**
 * Runs a parser for grpc-js, and keeps its error: grpc-js drops it, and creates its default configuration right after the last policy
 * of a list has failed. A success ends the list.
 */
export function keepFailure<T>(policy: string, parse: () => T): T {
  depth += 1;
  try {
    const parsed = parse();
    if (depth === 1) failures = [];
    return parsed;
  } catch (error) {
    if (depth === 1 && failures.push(`${policy}: ${messageOf(error)}`) === 1) queueMicrotask(takeFailures);
    throw error;
  } finally {
    depth -= 1;
  }
}

/** The errors of the configurations that grpc-js has just dropped. */
export function takeFailures(): readonly string[] {
  const taken = failures;
  failures = [];
  return taken;
}

/** Why a policy cannot be used; undefined when it can. */
export function describeError(policy: PolicyJson): string | undefined {
  const [name = ""] = Object.keys(policy);
  if (!isRegistered(name)) return `no policy named ${name} is registered`;
  try {
    parsePolicy(policy);
    return undefined;
  } catch (error) {
    takeFailures(); // only what grpc-js parses is kept
    return messageOf(error);
  }
}
