import type { IncomingMessage } from "node:http";

/** A request as a route has it. */
export interface AdminRequest extends Pick<IncomingMessage, "headers" | "headersDistinct"> {
  /** As UTF-8; empty for `GET` and `HEAD`. */
  readonly body: string;
}

/** An answer of the admin port. */
export interface AdminAnswer {
  /** Default: 200. */
  readonly status?: number;
  /** Default: `text/plain`. */
  readonly type?: string;
  /** Default: no more than every answer has. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What answers a method of a path. */
export interface AdminRoute {
  /** `GET` includes `HEAD`. */
  readonly method: "GET" | "PUT" | "DELETE";
  /** The exact path, without a query: `/healthz`. */
  readonly path: string;
  /** A request with a larger body is answered 413. Default: 16 kB. */
  readonly maxBodyBytes?: number;
  /** Called before the body is read: returns the answer to a request that has no right, such as 401. Default: every request has it. */
  readonly refuse?: (request: Omit<AdminRequest, "body">) => Promise<AdminAnswer | undefined>;
  /** What it throws is a warning of the process, and 500 without the reason. */
  readonly answer: (request: AdminRequest) => AdminAnswer | Promise<AdminAnswer>;
}

/** Routes that belong together. */
export interface AdminRoutes {
  readonly routes: readonly AdminRoute[];
  /** Called once, when the admin server has closed. */
  readonly close?: () => void;
}

/** What a router finds for a request. */
export type RouteMatch =
  | { readonly t: "route"; readonly route: AdminRoute }
  | { readonly t: "unknown path" }
  | { readonly t: "wrong method"; readonly allowed: string };

/**
 * Creates what finds the route of a method and a path.
 *
 * @throws Error when two routes have the same method and path
 */
export function createRouter(routes: readonly AdminRoute[]): (method: string, path: string) => RouteMatch {
  const paths = new Map<string, Map<string, AdminRoute>>();
  for (const route of routes) {
    const methods = paths.get(route.path) ?? new Map<string, AdminRoute>();
    if (methods.has(route.method)) throw new Error(`two routes of the admin port for ${route.method} ${route.path}`);
    paths.set(route.path, methods.set(route.method, route));
  }
  return (method, path) => {
    const methods = paths.get(path);
    if (!methods) return { t: "unknown path" };
    const route = methods.get(method === "HEAD" ? "GET" : method);
    if (route) return { t: "route", route };
    return { t: "wrong method", allowed: [...methods.keys()].join(", ").replace("GET", "GET, HEAD") };
  };
}
