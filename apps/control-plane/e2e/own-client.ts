import { join } from "node:path";
import { startProgram } from "@grpc-lb/program/testing";
import { callOverHttp, type ForeignClientKind } from "@grpc-lb/xds/testing/foreign";

/** Our own client beside those that nobody here wrote: grpc-js with a target `xds://`, which reads endpoints and no routes. */
export const ownClient: ForeignClientKind = {
  ...{ name: "xds://", protocol: "delta", isProxy: false, readsEndpointsOnly: true },
  ...{ ownFault: undefined, missing: undefined },
  async start({ service, controlPlanePort }) {
    const target = `xds://127.0.0.1:${controlPlanePort}/${service}`;
    const program = startProgram(join(import.meta.dirname, "own-client-program.ts"), [target]);
    return { call: await callOverHttp(program), close: async () => void (await program.stop()) };
  },
};
