import { setImmediate as turn } from "node:timers/promises";
import { credentials, status } from "@grpc/grpc-js";
import { type Clock, createBackoff, type Random } from "@grpc-lb/core";
import { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import { OpenRcaServiceClient } from "@grpc-lb/protos/xds/service/orca/v3";
import type { CallEnd } from "../../balancer/policy.ts";
import type { Subchannel } from "../../grpc-js.ts";

/** The trailer with a server's load report (gRFC A51). */
const reportHeader = "endpoint-load-metrics-bin";

/** The report in the trailers of a call; undefined when there is none or it cannot be decoded. */
export function readReport(metadata: CallEnd["metadata"]): OrcaLoadReport | undefined {
  const [bytes] = metadata.get(reportHeader);
  if (!Buffer.isBuffer(bytes)) return undefined;
  try {
    return OrcaLoadReport.decode(bytes);
  } catch {
    return undefined; // a report is only a hint: a broken one counts as none
  }
}

/** How to read the load reports of one connection. */
export interface ReportsOptions {
  readonly subchannel: Subchannel;
  /** How often the server should report, in milliseconds. */
  readonly periodMs: number;
  readonly clock: Clock;
  readonly random: Random;
  onReport(report: OrcaLoadReport): void;
}

/**
 * Reads a server's out-of-band load reports (gRFC A51): a stream on an existing connection, until the signal is aborted. A stream
 * that breaks is restarted with backoff. A server that answers UNIMPLEMENTED is not called again.
 */
export async function watchReports(
  { subchannel, periodMs, clock, random, onReport }: ReportsOptions,
  signal: AbortSignal,
): Promise<void> {
  // A listener that learns that the channel is READY may close it, or change its configuration, in the same turn. A stream that
  // has only just started could not be cancelled then, and its connection would stay open.
  await turn();
  if (signal.aborted) return;
  const client = new OpenRcaServiceClient("unused", credentials.createInsecure(), {
    channelOverride: subchannel.getChannel(),
  });
  const backoff = createBackoff({ baseMs: 1_000, maxMs: 120_000, random });
  const reportInterval = { seconds: BigInt(Math.floor(periodMs / 1_000)), nanos: (periodMs % 1_000) * 1e6 };
  signal.addEventListener("abort", () => client.close(), { once: true }); // otherwise channelz keeps the connection forever
  while (!signal.aborted) {
    const call = client.streamCoreMetrics({ reportInterval, requestCostNames: [] });
    const cancel = () => call.cancel();
    signal.addEventListener("abort", cancel);
    try {
      for await (const report of call) {
        backoff.reset();
        if (signal.aborted)
          call.cancel(); // grpc-js ignores a cancel while the call waits for its credentials
        else onReport(report);
      }
    } catch (error) {
      if ((error as { code?: status }).code === status.UNIMPLEMENTED) return;
      // After any other error the last report counts until it expires, and the stream is restarted.
    } finally {
      signal.removeEventListener("abort", cancel);
    }
    await clock.sleep(backoff.next(), signal, { background: true });
  }
}
