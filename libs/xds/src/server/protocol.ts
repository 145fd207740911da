import type { Node } from "@grpc-lb/protos/envoy/config/core/v3";
import type { Status } from "@grpc-lb/protos/google/rpc";
import type { Resource, SnapshotView } from "../cache/index.ts";
import type { Hold, Subscription } from "./subscription.ts";

/** What requests of both protocols have. */
export interface AnyRequest {
  readonly node?: Node | undefined;
  readonly typeUrl: string;
  readonly responseNonce: string;
  readonly errorDetail?: Status | undefined;
}

/** Stands for a request that is not valid protobuf. */
export const malformed = Object.freeze({ t: "malformed" as const });
export const malformedDetails = "a request is not valid protobuf";

/** What the next response of a type has. */
export interface Draft {
  readonly resources: readonly Resource[];
  readonly removed: readonly string[];
  /** Those of the resources that the client has asked for or that are new or changed, with what it had. */
  readonly changed: ReadonlyMap<Resource, Resource | undefined>;
  /** Whether it has everything of its type that the client wants, so that a client which accepts it has rejected nothing. Default: false. */
  readonly isWhole?: boolean;
}

/** What every response has. */
export interface ResponseHead {
  readonly typeUrl: string;
  readonly nonce: string;
  /** The version of all resources of the type. */
  readonly version: string;
  readonly identifier: string;
}

/** The difference between delta and the state of the world. It keeps nothing: all state is in the subscription. */
export interface Protocol<Q extends AnyRequest> {
  readonly name: "delta" | "sotw";
  /** The names that a request has. */
  namesOf(request: Q): readonly string[];
  /** Whether a request is not to be answered, because the client has sent it before it saw the last response. */
  isStale(subscription: Subscription, request: Q): boolean;
  /** Takes over from a stale request what the client no longer has, although a later request may have it again. */
  forget(subscription: Subscription, request: Q): void;
  /** Takes over what the client wants; the request is the first one of its type, or not. */
  subscribe(subscription: Subscription, request: Q, isFirst: boolean, snapshot: SnapshotView | undefined): void;
  /** What is to be sent now, which is then no longer pending; undefined for nothing. */
  next(subscription: Subscription, snapshot: SnapshotView, hold: Hold, maxBytes: number): Draft | undefined;
  encode(draft: Draft, head: ResponseHead): Buffer;
}
