import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdminRoute, createRouter } from "./routes.ts";

const route = (method: AdminRoute["method"], path: string): AdminRoute => ({
  method,
  path,
  answer: () => ({ body: "" }),
});

test("finds a route by its exact path and its method; GET includes HEAD", () => {
  const [get, put, other] = [route("GET", "/faults"), route("PUT", "/faults"), route("DELETE", "/other")];
  const find = createRouter([get, put, other]);
  for (const [method, path, want] of [
    ["GET", "/faults", { t: "route", route: get }],
    ["HEAD", "/faults", { t: "route", route: get }],
    ["PUT", "/faults", { t: "route", route: put }],
    ["DELETE", "/faults", { t: "wrong method", allowed: "GET, HEAD, PUT" }],
    ["HEAD", "/other", { t: "wrong method", allowed: "DELETE" }],
    ["constructor", "/other", { t: "wrong method", allowed: "DELETE" }],
    ["GET", "/faults/", { t: "unknown path" }],
    ["GET", "/Faults", { t: "unknown path" }],
    ["GET", "", { t: "unknown path" }],
    ["OPTIONS", "*", { t: "unknown path" }],
    ["GET", "constructor", { t: "unknown path" }],
  ] as const) {
    assert.deepEqual(find(method, path), want, `${method} ${path}`);
  }
});

test("two routes for a method and path are an error that names them", () => {
  assert.throws(() => createRouter([route("GET", "/a"), route("PUT", "/a"), route("GET", "/a")]), {
    message: "two routes of the admin port for GET /a",
  });
});
