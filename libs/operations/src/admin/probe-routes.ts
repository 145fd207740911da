import type { AdminRoutes } from "./routes.ts";

/** What the probes answer. */
export interface ProbeOptions {
  /** Why the program is not ready, in a few words; undefined while it is. */
  readonly notReady: () => string | undefined;
  /** What is missing, in a few words, although the program is ready; undefined for nothing, which is the default. */
  readonly missing?: () => string | undefined;
}

/** `GET /healthz`: 200 while the process lives. `GET /readyz`: 200 while the program is ready, with what is missing; else 503 with the reason. */
export function probeRoutes({ notReady, missing = () => undefined }: ProbeOptions): AdminRoutes {
  const readyz = () => {
    const reason = notReady();
    const lack = missing();
    if (reason !== undefined) return { status: 503, body: reason };
    return { body: lack === undefined ? "ok" : `ok, without ${lack}` };
  };
  return {
    routes: [
      { method: "GET", path: "/healthz", answer: () => ({ body: "ok" }) },
      { method: "GET", path: "/readyz", answer: readyz },
    ],
  };
}
