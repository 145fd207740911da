import type { IncomingMessage } from "node:http";
import type { Resource, Selection } from "./fake-store.ts";

/** What a request does, in the words of RBAC. */
export type Verb = "get" | "list" | "watch";

/** A request as the fake understood it. */
export interface FakeRequest extends Selection {
  readonly verb: Verb;
  /** Of the object; undefined for `list` and `watch`. */
  readonly name: string | undefined;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
}

const groups: Readonly<Record<string, Resource>> = {
  "/apis/discovery.k8s.io/v1": "endpointslices",
  "/api/v1": "services",
};

/** Parses a request; undefined for a path that the fake does not support. */
export function readRequest({ url = "", headers }: IncomingMessage): FakeRequest | undefined {
  const { pathname, searchParams: query } = new URL(url, "http://fake");
  const match = /^(.+)\/namespaces\/([^/]+)\/(\w+)(?:\/([^/]+))?$/.exec(pathname);
  const [, group = "", namespace = "", resource, name] = match ?? [];
  if (groups[group] === undefined || groups[group] !== resource) return undefined;
  const [, fieldName] = /^metadata\.name=(.+)$/.exec(query.get("fieldSelector") ?? "") ?? [];
  const labels = (query.get("labelSelector") ?? "").split(",").filter((term) => term !== "");
  return {
    verb: name !== undefined ? "get" : query.get("watch") === "true" ? "watch" : "list",
    resource: groups[group],
    namespace,
    name,
    fieldName,
    labels: Object.fromEntries(labels.map((term) => term.split("=") as [string, string])),
    query,
    authorization: headers.authorization,
  };
}

/** A Status as the API server writes it. */
export interface FakeStatus {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly status: "Failure";
  readonly message: string;
  readonly reason: string;
  readonly code: number;
}

const reasons: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  410: "Expired",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

export function statusOf(code: number, message: string): FakeStatus {
  const reason = reasons[code] ?? "Unknown";
  return { kind: "Status", apiVersion: "v1", status: "Failure", message, reason, code };
}

/** The Status of a request that RBAC denies. */
export function forbidden({ verb, resource, namespace, name }: FakeRequest, user: string): FakeStatus {
  const group = resource === "services" ? "" : "discovery.k8s.io";
  const what = name === undefined ? resource : `${resource} "${name}"`;
  const cannot = `User "${user}" cannot ${verb} resource "${resource}" in API group "${group}" in the namespace "${namespace}"`;
  return statusOf(
    403,
    `${group === "" ? what : what.replace(resource, `${resource}.${group}`)} is forbidden: ${cannot}`,
  );
}
