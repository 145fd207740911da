import type { Context } from "@grpc-lb/core";
import { defineSourceIn, type Source, type SourceDefinitionIn } from "../src/core/source.ts";

export { createSourceIn } from "../src/create-source.ts";

/**
 * Makes a source for a test, with the clock and the chance of the test.
 *
 * @param define of the source: `defineEtcdSource`
 * @param options the options of the source, with `clock` and `random`
 */
export function sourceIn<Options>(
  define: (options: Options) => SourceDefinitionIn,
  { clock, random, ...options }: NoInfer<Options> & Context,
): Source {
  return defineSourceIn(define(options as Options), { clock, random });
}
