/** The codes of gRPC that are told apart here (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
export const code = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  failedPrecondition: 9,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** How a call ended that did not end well; inside this folder only, who is outside gets a `DiscoveryError`. */
export class RpcStatus extends Error {
  override readonly name = "RpcStatus";
  readonly code: number;

  constructor(code: number, details: string, options?: ErrorOptions) {
    super(details, options);
    this.code = code;
  }
}
