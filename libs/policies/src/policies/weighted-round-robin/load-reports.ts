import { setImmediate as turn } from "node:timers/promises";
import { credentials, status } from "@grpc/grpc-js";
import { type Clock, createBackoff, type Random } from "@grpc-lb/core";
import { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import { OpenRcaServiceClient } from "@grpc-lb/protos/xds/service/orca/v3";
import type { CallEnd } from "../../balancer/policy.ts";
import type { Subchannel } from "../../grpc-js.ts";

/** Where a server puts its report at the end of a call (gRFC A51). */
const reportHeader = "endpoint-load-metrics-bin";

/** The report that came with a call; undefined when there is none, or none that can be read. */
export function readReport(metadata: CallEnd["metadata"]): OrcaLoadReport | undefined {
  const [bytes] = metadata.get(reportHeader);
  if (!Buffer.isBuffer(bytes)) return undefined;
  try {
    return OrcaLoadReport.decode(bytes);
  } catch {
    return undefined; // a report is a hint: a broken one counts as none
  }
}

/** How the reports of one connection are read. */
export interface ReportsOptions {
  readonly subchannel: Subchannel;
  /** How often the server is to report, in milliseconds. */
  readonly periodMs: number;
  readonly clock: Clock;
  readonly random: Random;
  onReport(report: OrcaLoadReport): void;
}

/**
 * Has a server report its load in a stream of its own, on a connection that is there (gRFC A51, out of band), until the signal
 * is aborted. A stream that breaks is begun anew with backoff; a server that knows no reports is not asked again.
 */
export async function watchReports(
  { subchannel, periodMs, clock, random, onReport }: ReportsOptions,
  signal: AbortSignal,
): Promise<void> {
  // Who hears that the channel is READY may close it, or take another configuration, in the same turn: a stream that has only
  // just begun then could not be cancelled, and its connection would stay.
  await turn();
  if (signal.aborted) return;
  const client = new OpenRcaServiceClient("unused", credentials.createInsecure(), {
    channelOverride: subchannel.getChannel(),
  });
  const backoff = createBackoff({ baseMs: 1_000, maxMs: 120_000, random });
  const reportInterval = { seconds: BigInt(Math.floor(periodMs / 1_000)), nanos: (periodMs % 1_000) * 1e6 };
  signal.addEventListener("abort", () => client.close(), { once: true }); // else channelz keeps the connection for ever
  while (!signal.aborted) {
    const call = client.streamCoreMetrics({ reportInterval, requestCostNames: [] });
    const cancel = () => call.cancel();
    signal.addEventListener("abort", cancel);
    try {
      for await (const report of call) {
        backoff.reset();
        if (signal.aborted)
          call.cancel(); // grpc-js loses a cancel that comes while the call waits for its credentials
        else onReport(report);
      }
    } catch (error) {
      if ((error as { code?: status }).code === status.UNIMPLEMENTED) return;
      // Whatever else it is, what was last reported counts until it expires, and the stream is begun anew.
    } finally {
      signal.removeEventListener("abort", cancel);
    }
    await clock.sleep(backoff.next(), signal, { background: true });
  }
}
