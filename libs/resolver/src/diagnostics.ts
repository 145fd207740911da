import { channel } from "node:diagnostics_channel";
import type { Snapshot } from "@grpc-lb/discovery";

/** The name to subscribe to: `diagnostics_channel.subscribe(resolverChannelName, (message) => …)`. */
export const resolverChannelName = "grpc-lb:resolver:snapshot";

/** What is published there: each snapshot that a channel of grpc-js was given. */
export interface ResolverMessage {
  readonly target: string;
  readonly snapshot: Snapshot;
}

export const resolverChannel = channel(resolverChannelName);
