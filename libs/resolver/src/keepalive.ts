import type { ChannelOptions } from "@grpc/grpc-js";
import type { Attributes } from "./grpc-js.ts";

/**
 * Servers of grpc-go, grpc-java and grpc-core take pings more often than every five minutes for an attack, and close the
 * connection with `too_many_pings` (gRFC A8). The five seconds are for pings that the network delays unequally.
 */
const keepalive: Attributes = { "grpc.keepalive_time_ms": 305_000, "grpc.keepalive_timeout_ms": 20_000 };

/**
 * Keepalive for channels that say nothing of it, as grpc-js has none by default: a call to a peer that vanished without a
 * word would wait for its deadline, or for ever. Handed to grpc-js as attributes, which go before a channel's own options: so
 * what the channel sets, be it to switch keepalive off, is left out here.
 */
export function chooseKeepalive(channelOptions: ChannelOptions): Attributes {
  return Object.fromEntries(Object.entries(keepalive).filter(([key]) => channelOptions[key] === undefined));
}
