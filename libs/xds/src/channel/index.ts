/**
 * A connection of grpc-js that its owner can bound: it keeps no process alive, and after its close no socket is left, whatever the
 * peer does. ADS and the readers of load reports use it, and so does etcd's client.
 */
export { type ConnectionNames, explainConnectFailure } from "./connect-failure.ts";
export { Connection, type ConnectionOptions, type Method } from "./connection.ts";
export type { TlsMaterial } from "./owned-credentials.ts";
export type { RpcCall } from "./rpc-call.ts";
export { plainReason, RpcStatus } from "./rpc-status.ts";
