import { type Clock, hostOfAddress, printableLine } from "@grpc-lb/core";
import { limitReports } from "@grpc-lb/operations/logs";
import type { AdsServerOptions } from "@grpc-lb/xds/server";

/** The part of a logger that is used. */
interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Of what a client calls itself, in characters. */
const maxIdLength = 200;
/** Of a rejected response, which may have thousands. */
const maxNames = 5;

/** Logs the clients that come and go, and what they reject. What they send takes a bounded part of a line. */
export function logClients(log: Log): Pick<AdsServerOptions, "onConnected" | "onDisconnected" | "onRejected"> {
  const short = (text: string) => printableLine(text, maxIdLength);
  return {
    onConnected: ({ id, node, group, peer }) => {
      const userAgent = short(node.userAgentName);
      log.info({ client: id, node: short(node.id), group, userAgent, peer }, "client connected");
    },
    onDisconnected: ({ id }, reason) => log.info({ client: id, reason }, "client disconnected"),
    onRejected: ({ client, typeUrl, names, message }) => {
      const type = short(typeUrl.slice(typeUrl.lastIndexOf(".") + 1));
      const some = { names: names.slice(0, maxNames).map(short), ofNames: names.length };
      const fields = { client: client.id, node: short(client.node.id), type, ...some, reason: message };
      log.warn(fields, "client rejected resources");
    },
  };
}

/** Logs the streams that are refused, of each client's address once a minute. */
export function logRefusals(log: Pick<Log, "warn">, clock: Clock): (reason: string, peer: string) => void {
  const short = (text: string) => printableLine(text, maxIdLength);
  const write = (reason: string, peer: string) => log.warn({ reason: short(reason), peer }, "stream refused");
  return limitReports(clock, write, (_, peer) => hostOfAddress(peer));
}
