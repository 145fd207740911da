import type { status } from "@grpc/grpc-js";

/** How a call ended that did not end well. Its users turn it into the error of their own library. */
export class RpcStatus extends Error {
  override readonly name = "RpcStatus";
  readonly code: status;

  constructor(code: status, details: string, options?: ErrorOptions) {
    super(details, options);
    this.code = code;
  }
}

/** What grpc-js wraps around the reason why it could not connect, a time included that makes each failure another. */
const wrapped =
  /^No connection established\. Last error: (?:Error: )?(.*?)(?: \(\d{4}-[^)]*Z\))?\. Resolution note: .*$/s;

/** A reason of grpc-js without the time and the address in it: without them the same failure of each try reads the same. */
export function plainReason(reason: string): string {
  return reason.replace(wrapped, "$1").replace(/ (?:\[[^\]\s]*\]|[^\s:]+|[0-9a-f:]+):\d+$/, "");
}
