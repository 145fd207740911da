import type { Caller } from "@grpc-lb/program";
import { createAdminServer } from "../admin/admin-server.ts";
import { probeRoutes } from "../admin/probe-routes.ts";
import type { AdminRoutes } from "../admin/routes.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

/** What a client has for its operators. */
export interface ClientOperations {
  /** Undefined: no admin port. */
  readonly adminPort: number | undefined;
  readonly telemetry: Telemetry;
  /** More routes of the admin port. */
  readonly routes?: readonly AdminRoutes[];
  /** Aborted when the client is to end. */
  readonly signal: AbortSignal;
}

/**
 * Gives a client its admin port: `/metrics`, `/healthz`, `/readyz` and more routes. The client is ready from its first call that succeeds
 * until it is to end: then its flags, names, rights and certificates are right. It stays ready while its servers fail, because that is
 * no fault of the client, and a restart would not help.
 *
 * @returns the caller to run, whose `close` ends all of this last
 * @throws ProgramError when the port cannot be listened on; the caller is closed then
 */
export async function withOperations(caller: Caller, operations: ClientOperations): Promise<Caller> {
  const { adminPort, telemetry, routes = [], signal } = operations;
  let hasSucceeded = false;
  const notReady = () => (signal.aborted ? "draining" : hasSucceeded ? undefined : "no call has succeeded yet");
  const close = async () => {
    await caller.close();
    await telemetry.close();
  };
  const listen = (port: number) =>
    createAdminServer({ port, routes: [probeRoutes({ notReady }), ...telemetry.routes, ...routes] });
  const admin =
    adminPort === undefined
      ? undefined
      : await listen(adminPort).catch(async (error: unknown) => {
          await close();
          throw error;
        });
  return {
    path: caller.path,
    async call() {
      const pod = await caller.call();
      hasSucceeded = true;
      return pod;
    },
    async close() {
      await close();
      await admin?.close();
    },
  };
}
