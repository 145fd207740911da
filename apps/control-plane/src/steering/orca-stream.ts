import { Metadata, status } from "@grpc/grpc-js";
import { type Clock, hostOfAddress, messageOf, printableLine } from "@grpc-lb/core";
import type { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import { OpenRcaServiceService } from "@grpc-lb/protos/xds/service/orca/v3";
import { Connection, plainReason, RpcStatus, type TlsMaterial } from "@grpc-lb/xds/channel";

/** How to connect to endpoints for their load reports. */
export interface OrcaChannel {
  /** The contents of the TLS files, asked for at each connection. Default: in clear. */
  readonly tls?: (() => Omit<TlsMaterial, "serverName">) | undefined;
  /** The name that the certificates of the endpoints must have; empty for the default, their address. */
  readonly serverName?: string | undefined;
}

/** One stream of reports. */
export interface OrcaStreamOptions extends OrcaChannel {
  /** `10.0.0.7:8080`, `[::1]:8080`. */
  readonly address: string;
  /** How often the endpoint should report, in milliseconds. */
  readonly intervalMs: number;
  readonly clock: Clock;
  onReport(report: OrcaLoadReport): void;
}

/** Why a stream has ended. */
export interface OrcaFailure {
  readonly reason: string;
  /** The endpoint has no such service: another try is of no use. */
  readonly isUnimplemented: boolean;
}

/** A report has a few numbers, and named ones that a server may add. */
const maxReportBytes = 64 * 1024;
export const connectTimeoutMs = 5_000;
/** Of what an endpoint answers, in characters. */
const maxReasonLength = 200;

/**
 * Reads the out-of-band load reports (gRFC A51) of an endpoint by a connection of its own, until the stream ends or `signal` is aborted.
 * When it has resolved, the connection's socket is closed, whatever the endpoint does.
 */
export async function readOrcaStream(options: OrcaStreamOptions, signal: AbortSignal): Promise<OrcaFailure> {
  const { address, tls, serverName, intervalMs, clock, onReport } = options;
  const connection = new Connection({
    address,
    ...(tls && { tls: { ...tls(), serverName: serverName || hostOfAddress(address) } }),
    maxMessageBytes: maxReportBytes,
  });
  try {
    await connection.connectWithin(connectTimeoutMs, clock, signal);
    const call = connection.open(OpenRcaServiceService.streamCoreMetrics, new Metadata(), signal);
    const reportInterval = { seconds: BigInt(Math.floor(intervalMs / 1_000)), nanos: (intervalMs % 1_000) * 1e6 };
    call.send({ reportInterval, requestCostNames: [] });
    call.closeSending();
    for await (const reports of call.batches()) {
      for (const report of reports) if (!signal.aborted) onReport(report);
    }
    return { reason: "it ended the stream", isUnimplemented: false };
  } catch (error) {
    const { code, message } = error instanceof RpcStatus ? error : { code: status.UNKNOWN, message: messageOf(error) };
    const reason = printableLine(`${status[code]}: ${plainReason(message)}`, maxReasonLength);
    return { reason, isUnimplemented: code === status.UNIMPLEMENTED };
  } finally {
    await connection.close(new RpcStatus(status.CANCELLED, "closed"));
  }
}
