import type { ServerOptions } from "@grpc/grpc-js";

/**
 * What a server of grpc-js should be created with to serve xDS. A client that no longer answers is noticed in 30 s, because a stream
 * without changes is silent for hours; a request is at most 4 MiB, which is room for 50 000 names; and a connection has at most 100 streams:
 * a client needs two or three, and a proxy opens a further connection.
 */
export const serverOptions: ServerOptions = {
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.max_concurrent_streams": 100,
  "grpc.max_receive_message_length": 4 * 2 ** 20,
};
