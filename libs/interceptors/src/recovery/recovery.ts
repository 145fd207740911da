import { type ServerErrorResponse, type StatusObject, status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { checkOptions, describeType, type OptionRules } from "@grpc-lb/core";
import { ignore } from "../call/guard-callback.ts";
import { withWellFormedDetails } from "../call/well-formed.ts";
import { type Logger, loggerRule, writeEntry } from "../logger.ts";
import { guardHandler } from "./guard-handler.ts";

/** What `withRecovery` does with an error. */
export interface RecoveryOptions {
  /** Receives each error with its stack, at level `error`. A pino logger is one. Default: none. */
  readonly logger?: Logger | undefined;
  /**
   * The status for an error of your own, such as NOT_FOUND for a row that is missing; undefined for INTERNAL. Such an error is not
   * logged. What it throws counts as an error of the handler. Default: INTERNAL for each error.
   */
  readonly toStatus?: ((error: unknown) => Partial<StatusObject> | undefined) | undefined;
}

const rules: OptionRules = { logger: loggerRule, toStatus: "function" };

/** The text that a client gets in place of an error's own. */
const internalDetails = "Internal error";

/**
 * Wraps the handlers of a service, so that an error which a handler did not mean for the client answers INTERNAL without the
 * error's text, is logged with its stack, and never ends the process. These are:
 *
 * - what a handler throws, and what the promise of an async handler rejects with (grpc-js ignores the promise, so that Node would
 *   end the process);
 * - what a listener on the call throws, `call.on("data", …)`;
 * - an error without a gRPC status code that a handler passes to its callback or emits on its stream.
 *
 * ```ts
 * server.addService(PodServiceService, withRecovery(handlers, { logger }));
 * ```
 *
 * It wraps handlers and is no interceptor, because grpc-js shows an interceptor neither the error nor the promise of a handler. It
 * cannot see what is thrown in a timer or in another callback that the handler has started.
 *
 * @param handlers the implementation as `Server.addService` takes it; methods of a class keep their `this`
 * @returns an implementation of the same service
 * @throws TypeError for handlers that are no object, and for options of another type or name
 */
export function withRecovery<Handlers extends UntypedServiceImplementation>(
  handlers: Handlers,
  options: RecoveryOptions = {},
): Handlers {
  if (typeof handlers !== "object" || handlers === null)
    throw new TypeError(`withRecovery: the handlers must be an object, got ${describeType(handlers)}`);
  checkOptions("withRecovery", options, rules);
  const { logger, toStatus } = options;
  const describe = (error: unknown, method: string): ServerErrorResponse => {
    let failure = error;
    try {
      const chosen = toStatus?.(error);
      if (chosen instanceof Promise)
        chosen.catch(ignore); // no call waits for it
      else if (chosen) return toError(chosen);
    } catch (thrown) {
      failure = thrown;
    }
    if (logger) writeEntry(logger, "error", { err: failure, method }, "a handler failed");
    return toError({ code: status.INTERNAL, details: internalDetails });
  };
  return new Proxy(unfrozen(handlers), {
    get(_target, name) {
      const value: unknown = Reflect.get(handlers, name, handlers);
      return typeof value === "function" ? guardHandler(value.bind(handlers), describe) : value;
    },
  });
}

/** The same properties, of which a proxy may give others: of a frozen object it may not. */
function unfrozen<Handlers extends object>(handlers: Handlers): Handlers {
  const own = Object.entries(Object.getOwnPropertyDescriptors(handlers));
  const open = own.map(([name, descriptor]) => [name, { ...descriptor, configurable: true }] as const);
  return Object.create(Object.getPrototypeOf(handlers), Object.fromEntries(open));
}

function toError({ code = status.INTERNAL, details = "", metadata }: Partial<StatusObject>): ServerErrorResponse {
  const error: ServerErrorResponse = Object.assign(new Error(details), { code, details });
  if (metadata) error.metadata = metadata;
  return withWellFormedDetails(error, details);
}
