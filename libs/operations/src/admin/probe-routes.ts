import type { AdminRoutes } from "./admin-server.ts";

/** What the probes answer. */
export interface ProbeOptions {
  /** Why the program is not ready, in a few words; undefined while it is. */
  readonly notReady: () => string | undefined;
  /** What is missing, in a few words, although the program is ready; undefined for nothing, which is the default. */
  readonly missing?: () => string | undefined;
}

/** `GET /healthz`: 200 while the process lives. `GET /readyz`: 200 while the program is ready, with what is missing; else 503 with the reason. */
export function probeRoutes({ notReady, missing = () => undefined }: ProbeOptions): AdminRoutes {
  return async (app) => {
    app.get("/healthz", async (_request, reply) => reply.type("text/plain").send("ok"));
    app.get("/readyz", async (_request, reply) => {
      const reason = notReady();
      const lack = missing();
      return reply
        .type("text/plain")
        .code(reason === undefined ? 200 : 503)
        .send(reason ?? (lack === undefined ? "ok" : `ok, without ${lack}`));
    });
  };
}
