import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { commandOf, whyUnavailable } from "../programs.ts";
import { bootstrap, discoveryResponse } from "./envoy.ts";
import { controlPlaneBootstrap } from "./envoy-xds.ts";
import { haproxyConfig } from "./haproxy.ts";
import { nginxConfig } from "./nginx.ts";

const pods = [1, 2].map((n) => ({ podName: `server-${n}`, pid: n, httpPort: 8000 + n, grpcPort: 9000 + n }));
const place = { port: 7000, folder: "/tmp/lab" };

describe("the configuration of a proxy", () => {
  it("of Envoy has the listener and the file of the endpoints, which has the pods", () => {
    const text = JSON.stringify(bootstrap(place));
    assert.match(text, /"port_value":7000/);
    assert.match(text, /"path":"\/tmp\/lab\/eds\.json"/);
    const ports = [...JSON.stringify(discoveryResponse(pods)).matchAll(/"port_value":(\d+)/g)].map(([, port]) => port);
    assert.deepEqual(ports, ["9001", "9002"]);
    assert.match(text, /"present_match":true.*"hash_policy":\[\{"header":\{"header_name":"hash-key"/);
  });

  it("of the Envoy of the control plane has no listener and no pods, and the control plane's port", () => {
    const text = JSON.stringify(controlPlaneBootstrap(7001));
    assert.deepEqual(text.match(/"port_value":\d+/g), ['"port_value":7001']);
    assert.match(text, /"api_type":"DELTA_GRPC"/);
    assert.doesNotMatch(text, /listeners/);
  });

  it("of nginx and HAProxy has the listener and the pods, and writes into its own folder only", () => {
    const nginx = nginxConfig(pods, place);
    assert.match(nginx, /listen 127\.0\.0\.1:7000 http2;/);
    assert.deepEqual(nginx.match(/server 127\S+;/g), ["server 127.0.0.1:9001;", "server 127.0.0.1:9002;"]);
    for (const [path] of nginx.matchAll(/\/\S+(?=;)/g))
      assert.ok(path.startsWith("/tmp/lab/") || path === "//pods", path);
    const haproxy = haproxyConfig(pods, place);
    assert.match(haproxy, /bind 127\.0\.0\.1:7000 proto h2/);
    assert.match(haproxy, /server server-2 127\.0\.0\.1:9002 proto h2/);
  });
});

describe("a program", () => {
  it("is found by the variable of its name, and its absence is explained", async (t) => {
    process.env.ENVOY = "/proc/nonexistent/envoy";
    t.after(() => delete process.env.ENVOY);
    assert.equal(commandOf("envoy"), "/proc/nonexistent/envoy");
    assert.equal(commandOf("nginx"), "nginx");
    assert.equal(await whyUnavailable("envoy"), "ENVOY=/proc/nonexistent/envoy does not exist");
  });
});
