import { isIP } from "node:net";
import { status } from "@grpc/grpc-js";
import { printableLine } from "@grpc-lb/core";
import { type Attributes, type Span, SpanStatusCode } from "@opentelemetry/api";

/** The longest text of a peer in a span, in UTF-16 code units. */
const maxTextLength = 300;

/** Of a span when it starts (https://opentelemetry.io/docs/specs/semconv/rpc/grpc). */
export const methodAttributes = (path: string): Attributes => ({
  "rpc.system.name": "grpc",
  "rpc.method": path.slice(1),
});

/** @param peer `10.0.0.1:50051`, as `getPeer()` returns it; other text gives none */
export function peerAttributes(peer: string | undefined): Attributes {
  const [, address = "", port] = /^\[?(.*?)\]?:(\d+)$/.exec(peer ?? "") ?? [];
  return isIP(address) === 0 ? {} : { "network.peer.address": address, "network.peer.port": Number(port) };
}

/** Which codes are failures of a server: the others are its client's, or no failure at all. */
export const serverErrors: ReadonlySet<status> = new Set([
  ...[status.UNKNOWN, status.DEADLINE_EXCEEDED, status.UNIMPLEMENTED, status.INTERNAL, status.UNAVAILABLE],
  status.DATA_LOSS,
]);

/** Sets the status of a span from that of its call or attempt. */
export function setStatus(span: Span, code: status, isError: boolean, details = ""): void {
  const name = status[code] ?? String(code);
  span.setAttribute("rpc.response.status_code", name);
  if (!isError) return;
  span.setAttribute("error.type", name);
  span.setStatus({
    code: SpanStatusCode.ERROR,
    ...(details !== "" && { message: printableLine(details, maxTextLength) }),
  });
}
