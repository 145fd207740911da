import type { status } from "@grpc/grpc-js";

/** How a call ended that did not end well; inside this folder only, who is outside gets a `DiscoveryError`. */
export class RpcStatus extends Error {
  override readonly name = "RpcStatus";
  readonly code: status;

  constructor(code: status, details: string, options?: ErrorOptions) {
    super(details, options);
    this.code = code;
  }
}
