import assert from "node:assert/strict";
import { test } from "node:test";
import { checkBootstrap } from "./check-bootstrap.ts";

const server = (...types: readonly string[]) => ({
  server_uri: "control-plane:18000",
  channel_creds: types.map((type) => ({ type })),
});
const node = { id: "client-1", locality: {} };
const check = (bootstrap: unknown) => checkBootstrap({ GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) });

test("a bootstrap that grpc-js-xds cannot use is refused with the field and what it takes", () => {
  check({ xds_servers: [server("tls", "insecure")], node });
  checkBootstrap({});
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [
      { xds_servers: [server("tls")], node },
      /^GRPC_XDS_BOOTSTRAP_CONFIG: xds_servers\[0\]\.channel_creds must have an entry of type insecure or google_default for grpc-js-xds; xds:\/\/host:port\/name, .* connects by tls$/,
    ],
    [{ xds_servers: [{ server_uri: "a:1" }], node }, /channel_creds must have an entry of type .* for grpc-js-xds$/],
    [{ xds_servers: [{}], node }, /xds_servers\[0\]\.server_uri must be text$/],
    [{ node }, /xds_servers must have the control plane$/],
    [{ xds_servers: [server("insecure")], node: { locality: {} } }, /node\.id must be text$/],
    [{ xds_servers: [server("insecure")], node: { id: "a" } }, /node\.locality is missing/],
    [[], /it must be an object$/],
  ];
  for (const [bootstrap, message] of cases) assert.throws(() => check(bootstrap), { name: "RangeError", message });
  assert.throws(() => checkBootstrap({ GRPC_XDS_BOOTSTRAP_CONFIG: "{secret" }), {
    message: "GRPC_XDS_BOOTSTRAP_CONFIG: it is not valid JSON",
  });
  assert.throws(
    () => checkBootstrap({ GRPC_XDS_BOOTSTRAP: "/none" }),
    /^RangeError: GRPC_XDS_BOOTSTRAP \/none: no such file/,
  );
});
