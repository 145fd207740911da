/**
 * Calls a server that @grpc/grpc-js-xds finds, see `serveCalls`. The bootstrap file comes from GRPC_XDS_BOOTSTRAP:
 * `node grpc-js-xds-client.ts xds:///name`.
 */
import { register } from "@grpc/grpc-js-xds";
import { serveCalls } from "./serve-calls.ts";

register();
serveCalls(process.argv[2] ?? "");
