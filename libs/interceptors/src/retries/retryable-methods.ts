import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

/** What `@grpc/proto-loader` adds to a method: the option `idempotency_level` of its .proto file. */
interface WithOptions {
  readonly options?: { readonly idempotency_level?: unknown };
}

/**
 * The methods of a service that may be executed twice, for `createRetries`: those that its .proto file marks with
 * `option idempotency_level = NO_SIDE_EFFECTS` or `IDEMPOTENT`, where `@grpc/proto-loader` has loaded it; or those that you choose.
 * Methods whose client sends a stream are not among them: grpc-js can repeat such a call only while all of it is in its buffer.
 *
 * @param isIdempotent decides by the method's name, `GetPod`, in place of the mark
 * @returns `pod.v1.PodService/GetPod`, for each
 */
export function retryableMethods(service: ServiceDefinition, isIdempotent?: (method: string) => boolean): string[] {
  const methods = Object.values(service as Readonly<Record<string, MethodDefinition<unknown, unknown> & WithOptions>>);
  return methods
    .filter(({ path, requestStream, options }) => {
      if (requestStream) return false;
      if (isIdempotent) return isIdempotent(path.slice(path.lastIndexOf("/") + 1));
      return options?.idempotency_level === "NO_SIDE_EFFECTS" || options?.idempotency_level === "IDEMPOTENT";
    })
    .map(({ path }) => path.slice(1));
}
