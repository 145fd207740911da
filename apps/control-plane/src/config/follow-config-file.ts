import { systemClock } from "@grpc-lb/core";
import { ProgramError } from "@grpc-lb/program";
import type { Config } from "./config.ts";
import { watchConfigFile } from "./config-file.ts";

/**
 * Watches a file of configuration.
 *
 * @param apply called with each later configuration
 * @param onError called with each later error
 * @returns the first configuration, or a ProgramError with exit code 2; and the end of the watch
 */
export function followConfigFile(
  path: string,
  apply: (config: Config) => void,
  signal: AbortSignal,
  onError: (problem: string) => void,
): { readonly config: Promise<Config>; readonly ended: Promise<void> } {
  const { promise: config, resolve, reject } = Promise.withResolvers<Config>();
  let isFirst = true;
  const takeFirst = () => {
    const wasFirst = isFirst;
    isFirst = false;
    return wasFirst;
  };
  const ended = watchConfigFile(
    {
      ...{ path, clock: systemClock },
      onConfig: (next) => (takeFirst() ? resolve(next) : apply(next)),
      onError: (problem) => (takeFirst() ? reject(new ProgramError(problem, { exitCode: 2 })) : onError(problem)),
    },
    signal,
  );
  return { config, ended };
}
