import { ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import { isInfrastructure } from "@grpc-lb/interceptors";
import type { onRequestAsyncHookHandler } from "fastify";
import type { FaultInjector } from "./fault-injector.ts";
import { goneSignal } from "./gone-signal.ts";

const reasonOf = (code: status) => `injected fault error=${status[code]}`;

/**
 * Creates the interceptor that injects faults into the calls of a gRPC server, unary and streaming, before their handler. Health checks and
 * reflection have none.
 */
export function createFaultInterceptor(injector: FaultInjector): ServerInterceptor {
  return ({ path }, call) => {
    if (isInfrastructure(path) || !injector.hasCallFaults) return new ServerInterceptingCall(call);
    const gone = new AbortController();
    return new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, admit) {
            void injector.apply(gone.signal).then((outcome) => {
              if (outcome.t === "pass") admit(metadata);
              if (outcome.t === "error") call.sendStatus({ code: outcome.code, details: reasonOf(outcome.code) });
            });
          },
          onCancel() {
            gone.abort();
          },
        });
      },
    });
  };
}

/** As https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto maps the codes; the others are 500. */
const httpStatus: Readonly<Partial<Record<status, number>>> = {
  [status.CANCELLED]: 499,
  [status.INVALID_ARGUMENT]: 400,
  [status.DEADLINE_EXCEEDED]: 504,
  [status.NOT_FOUND]: 404,
  [status.ALREADY_EXISTS]: 409,
  [status.PERMISSION_DENIED]: 403,
  [status.RESOURCE_EXHAUSTED]: 429,
  [status.FAILED_PRECONDITION]: 400,
  [status.ABORTED]: 409,
  [status.OUT_OF_RANGE]: 400,
  [status.UNIMPLEMENTED]: 501,
  [status.UNAVAILABLE]: 503,
  [status.UNAUTHENTICATED]: 401,
};

/** Creates the hook of fastify that injects the same faults into requests; for the routes that are not probes. */
export function createFaultHook(injector: FaultInjector): onRequestAsyncHookHandler {
  return async (_request, reply) => {
    if (!injector.hasCallFaults) return;
    const outcome = await injector.apply(goneSignal(reply));
    if (outcome.t === "gone") reply.hijack(); // no client is left to answer
    if (outcome.t === "error") {
      const code = httpStatus[outcome.code] ?? 500;
      await reply.code(code).type("text/plain").send(reasonOf(outcome.code));
    }
  };
}
