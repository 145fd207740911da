import { messageOf } from "@grpc-lb/core";
import { choiceFlag, type Flag, integerFlag, ProgramError } from "@grpc-lb/program";
import { demoPolicies } from "./expectations.ts";
import { createStrategies } from "./strategies.ts";

const strategyNames = createStrategies("round_robin").map(({ name }) => name);

const strategiesFlag: Flag<string | undefined> = {
  metavar: "names",
  help: `strategies to run, separated by commas, or all: ${strategyNames.join(", ")}; the third has the name of --policy`,
  default: undefined,
  defaultText: "the first four",
  parse: (text) => text,
};

/** The flags that the demo and the live page share: what runs. */
export const runFlags = {
  servers: integerFlag({ help: "number of servers, which represent pods", default: 3, min: 2, max: 9 }),
  policy: choiceFlag({
    metavar: "name",
    help: "load balancing policy of the clients that know the pods",
    default: "round_robin",
    choices: demoPolicies,
  }),
  strategies: strategiesFlag,
  seed: integerFlag({
    help: "seed of the Service's random picks; the same seed gives the same picks",
    default: 75,
    min: 0,
  }),
};

/** Turns an error into one of usage (exit code 2). */
export function asUsageError<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new ProgramError(messageOf(cause), { cause, exitCode: 2 });
  }
}
