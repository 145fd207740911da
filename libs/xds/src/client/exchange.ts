import type { Node } from "@grpc-lb/protos/envoy/config/core/v3";
import type { Subscriptions } from "./subscriptions.ts";

/** What one stream of a protocol of xDS sends and receives; it knows no connection. */
export interface Exchange<Q, R> {
  /**
   * The request by which the server learns what is watched now; undefined if it knows. A first request of a type also says what is
   * known from earlier streams.
   */
  update(subscriptions: Subscriptions): { readonly request: Q; readonly requested: readonly string[] } | undefined;
  /**
   * Takes over a response.
   *
   * @returns why it is rejected; undefined if it is accepted
   */
  receive(subscriptions: Subscriptions, response: R): string | undefined;
  /** The request that accepts the last response, or rejects it for a reason. */
  acknowledge(subscriptions: Subscriptions, response: R, rejection: string | undefined): Q;
}

/** Says who the client is with the first request of a stream, and not again. */
export function createNodeOnce(node: Node): () => Node | undefined {
  let isSent = false;
  return () => {
    if (isSent) return undefined;
    isSent = true;
    return node;
  };
}
