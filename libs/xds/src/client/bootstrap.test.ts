import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readXdsEnvironment } from "./bootstrap.ts";

const read = (bootstrap: unknown, server = "cp:1") =>
  readXdsEnvironment(server, { GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) });

test("the node, and the credentials of the control plane's own entry, are read from gRPC's bootstrap", (t) => {
  assert.deepEqual(readXdsEnvironment("cp:1", {}), { node: {}, credentials: {} });
  const tls = (name: string) => ({ type: "tls", config: { ca_certificate_file: `${name}.pem` } });
  const bootstrap = {
    xds_servers: [
      { server_uri: "other:1", channel_creds: [{ type: "google_default" }, { type: "insecure" }] },
      {
        server_uri: "cp:1",
        channel_creds: [tls("ca")],
        call_creds: [{ type: "jwt_token_file", config: { jwt_token_file: "/t" } }],
      },
    ],
    node: { id: "n", cluster: "c", locality: { zone: "z", sub_zone: "s" }, metadata: { A: "b" } },
  };
  const { node, credentials } = read(bootstrap);
  assert.deepEqual([node.id, node.cluster, node.metadata], ["n", "c", { A: "b" }]);
  assert.deepEqual(node.locality, { region: undefined, zone: "z", subZone: "s" });
  assert.equal(credentials.tls?.caFile, "ca.pem");
  assert.equal(credentials.tokenFile, "/t");
  const folder = mkdtempSync(join(tmpdir(), "bootstrap-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "b.json");
  writeFileSync(file, JSON.stringify(bootstrap));
  assert.equal(readXdsEnvironment("cp:1", { GRPC_XDS_BOOTSTRAP: file }).node.id, "n");
});

test("credentials go to the control plane of their entry alone, however its server_uri is written", () => {
  const channel_creds = [{ type: "tls", config: {} }];
  const call_creds = [{ type: "jwt_token_file", config: { jwt_token_file: "/t" } }];
  const tokenFor = (server_uri: string, server: string) =>
    read({ node: { id: "n" }, xds_servers: [{ server_uri, channel_creds, call_creds }] }, server).credentials.tokenFile;
  for (const [uri, server] of [
    ["b:2", "b:2"],
    ["dns:///B:2", "b:2"],
    ["dns:b:2", "b:2"],
    ["dns://8.8.8.8/b:2", "b:2"],
    ["dns:///b", "b:443"],
    ["ipv4:10.0.0.1:2", "10.0.0.1:2"],
    ["ipv6:%5B::1%5D:2", "[0:0::1]:2"],
  ] as const) {
    assert.equal(tokenFor(uri, server), "/t", uri);
  }
  for (const [uri, server] of [
    ["b:2", "evil.example:2"],
    ["b:2", "b:3"],
    ["dns:///b:2", "b.evil:2"],
    ["unix:/b:2", "b:2"],
  ] as const) {
    assert.equal(tokenFor(uri, server), undefined, uri);
  }
  const entry = { server_uri: "b:2", channel_creds: [{ type: "google_default" }] };
  assert.equal(
    read({ node: { id: "n" }, xds_servers: [entry] }, "evil.example:2").warning,
    "GRPC_XDS_BOOTSTRAP_CONFIG: no entry of xds_servers has the server_uri evil.example:2, so there is no TLS and no token for it",
  );
  const plain = { server_uri: "b:2", channel_creds: [{ type: "insecure" }] };
  assert.equal(read({ node: { id: "n" }, xds_servers: [plain] }, "c:2").warning, undefined);
});

for (const [bootstrap, message] of [
  ["{secret", /^GRPC_XDS_BOOTSTRAP_CONFIG: it is not valid JSON$/],
  ["[]", /: it must be an object$/],
  ['{"node":{"id":1}}', /: node\.id must be text$/],
  ['{"xds_servers":{}}', /: xds_servers must be a list$/],
  [
    '{"xds_servers":[{"server_uri":"cp:1","channel_creds":[{"type":"google_default"}]}]}',
    /must have an entry of type tls or insecure$/,
  ],
  [
    '{"xds_servers":[{"server_uri":"cp:1","call_creds":[{"type":"jwt_token_file","config":{"jwt_token_file":"/t"}}]}]}',
    /needs tls/,
  ],
] as const) {
  test(`a bootstrap that is not valid is an error that names the variable: ${bootstrap}`, () => {
    assert.throws(() => readXdsEnvironment("cp:1", { GRPC_XDS_BOOTSTRAP_CONFIG: bootstrap }), { message });
  });
}

test("a bootstrap file that cannot be read is an error that names it", () => {
  assert.throws(() => readXdsEnvironment("cp:1", { GRPC_XDS_BOOTSTRAP: "/nowhere/b.json" }), {
    message: /^GRPC_XDS_BOOTSTRAP \/nowhere\/b\.json: no such file/,
  });
  assert.throws(() => readXdsEnvironment("cp:1", { GRPC_XDS_BOOTSTRAP: '{"xds_servers":["secret"]}' }), {
    message: "GRPC_XDS_BOOTSTRAP …: must be the name of a file, and looks like the content of one",
  });
});
