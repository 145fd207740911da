import type { Server, ServerCredentials } from "@grpc/grpc-js";
import { formatHostPort } from "@grpc-lb/core";

/** Where a server of grpc-js listens. */
export interface ServerAddress {
  /** An IP address or a name; `0.0.0.0` for every IPv4 interface, `::` for every interface. */
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
  readonly credentials: ServerCredentials;
}

/**
 * Binds a server of grpc-js.
 *
 * @param onBound called before the server can accept a connection
 * @returns the port
 * @throws what grpc-js says when the address cannot be listened on
 */
export function bindServer(
  server: Server,
  { host, port, credentials }: ServerAddress,
  onBound: () => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(formatHostPort(host, port), credentials, (error, bound) => {
      if (error) {
        reject(error);
        return;
      }
      onBound();
      resolve(bound);
    });
  });
}
