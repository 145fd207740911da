import type { Endpoint } from "./snapshot.ts";

/** One symbol for the process, so that two copies of this package understand each other. */
const discovered: unique symbol = Symbol.for("grpc-lb.discovered-endpoint") as never;

/** An object that may carry an endpoint of discovery, such as an `Endpoint` of grpc-js on its way from resolver to policy. */
export interface EndpointCarrier {
  readonly [discovered]?: Endpoint;
}

/**
 * The attribute in which a resolver of grpc-js hands a channel's target on to its policy, so that both can publish it with what
 * they observe. By its prefix grpc-js keeps it out of the options of connections, which channels of several targets share.
 */
export const targetOption = "grpc.internal.no_subchannel.grpc-lb.target";

/** A copy of `carrier` that carries `endpoint`: how a resolver hands weight, zone and identity on to a policy. */
export function attachEndpoint<T extends object>(carrier: T, endpoint: Endpoint): T & EndpointCarrier {
  return { ...carrier, [discovered]: endpoint };
}

/** The endpoint that `attachEndpoint` put there; undefined for an object of another resolver. */
export function endpointOf(carrier: EndpointCarrier): Endpoint | undefined {
  return carrier[discovered];
}
