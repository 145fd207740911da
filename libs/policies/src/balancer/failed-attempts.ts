import { type ChannelOptions, status } from "@grpc/grpc-js";
import { headerOf, type PickArgs, type PickResult } from "../grpc-js.ts";
import type { Child } from "./child.ts";
import type { EndpointRecord } from "./endpoint-record.ts";

/** grpc-js sets it on every attempt of a call but the first (gRFC A6). */
const previousAttemptsHeader = "grpc-previous-rpc-attempts";

/** Whether calls of a channel may have several attempts at a time. The service config of a resolver is not known here. */
export const mayHedge = (options: ChannelOptions): boolean =>
  String(options["grpc.service_config"]).includes('"hedgingPolicy"');

/** The endpoints that failed earlier attempts of calls with a retry policy, so that the next attempt goes elsewhere. */
export class FailedAttempts {
  /** Whether attempts that have not ended are avoided too. Only for hedging, because it costs time with each pick. */
  includesPending = false;
  /** By `extraPickInfo`: grpc-js creates that object for a call and passes it to all of its attempts. */
  readonly #byCall = new WeakMap<object, EndpointRecord[]>();

  /** An attempt was sent to an endpoint. */
  start(args: PickArgs, record: EndpointRecord): void {
    if (this.includesPending) this.add(args, record);
  }

  add({ extraPickInfo }: PickArgs, record: EndpointRecord): void {
    const failed = this.#byCall.get(extraPickInfo);
    if (failed) failed.push(record);
    else this.#byCall.set(extraPickInfo, [record]);
  }

  /** The pick result of a call that is not counted: records its failure. */
  watch(args: PickArgs, record: EndpointRecord, result: PickResult): PickResult {
    return {
      pickResultType: result.pickResultType,
      subchannel: result.subchannel,
      status: null,
      onCallStarted: result.onCallStarted,
      onCallEnded: (code, details, metadata) => {
        if (code !== status.OK) this.add(args, record);
        result.onCallEnded?.(code, details, metadata);
      },
    } as PickResult;
  }

  /** The children to avoid for a call; undefined when it is not a retry, or every child has failed it. */
  avoidable<EndpointState>(
    args: PickArgs,
    ready: readonly Child<EndpointState>[],
  ): ReadonlySet<Child<EndpointState>> | undefined {
    if (headerOf(args.metadata, previousAttemptsHeader) === undefined) return undefined;
    const failed = this.#byCall.get(args.extraPickInfo);
    if (!failed) return undefined;
    const avoided = new Set(ready.filter(({ record }) => failed.includes(record)));
    return avoided.size > 0 && avoided.size < ready.length ? avoided : undefined;
  }
}
