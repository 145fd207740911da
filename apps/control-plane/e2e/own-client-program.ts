/** Calls a server that `@grpc-lb/resolver` finds, see `serveCalls`: `node own-client-program.ts xds://127.0.0.1:18000/name`. */
import { registerResolvers } from "@grpc-lb/resolver";
import { serveCalls } from "@grpc-lb/xds/testing/foreign";

registerResolvers();
serveCalls(process.argv[2] ?? "");
