import type { Http2SecureServer, Http2Server } from "node:http2";
import type { Server } from "@grpc/grpc-js";

/** A private member of grpc-js 1.14. */
interface Internals {
  readonly http2Servers: ReadonlyMap<Http2Server | Http2SecureServer, unknown>;
}

/** The HTTP/2 servers that a bound server of grpc-js listens with: one for each address. */
export function http2ServersOf(server: Server): readonly (Http2Server | Http2SecureServer)[] {
  return [...(server as unknown as Internals).http2Servers.keys()];
}
