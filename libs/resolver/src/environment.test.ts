import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createSocketServer, type Socket } from "node:net";
import { test } from "node:test";
import { Channel, type ChannelOptions, credentials } from "@grpc/grpc-js";
import { assertNothingLeft, closedPort } from "@grpc-lb/core/testing";
import { Rig } from "../testing/rig.ts";
import { describeProxy, findSidecar } from "./environment.ts";

test("the warning of a proxy names the variable that grpc-js uses, and not its value", () => {
  const proxy = "http://user:secret@proxy.example:3128";
  for (const [env, want] of [
    [{}, undefined],
    [{ http_proxy: proxy }, "http_proxy"],
    [{ https_proxy: proxy, http_proxy: proxy }, "https_proxy"],
    [{ https_proxy: proxy, grpc_proxy: proxy }, "grpc_proxy"],
    [{ grpc_proxy: "", http_proxy: proxy }, "http_proxy"],
    [{ grpc_proxy: "https://proxy.example", http_proxy: proxy }, undefined],
    [{ http_proxy: "proxy.example" }, undefined],
    [{ HTTP_PROXY: proxy, no_proxy: "x" }, undefined],
  ] as const) {
    const warning = describeProxy(env, ["kubernetes", "etcd"]);
    assert.equal(warning?.split(" ")[0], want, JSON.stringify(env));
    assert.doesNotMatch(warning ?? "", /secret|example/);
  }
});

/** Whether grpc-js gives the target to the proxy of its environment. */
function isProxied(target: string, env: NodeJS.ProcessEnv, options: ChannelOptions = {}): boolean {
  const before = { ...process.env };
  Object.assign(process.env, env); // grpc-js reads it when a channel is made
  const channel = new Channel(target, credentials.createInsecure(), options);
  process.env = before;
  const isOurs = channel.getTarget().startsWith("kubernetes:");
  channel.close();
  return !isOurs;
}

test("grpc-js hands targets to a proxy as the README describes", (t) => {
  new Rig(t);
  const proxies = ["grpc_proxy", "https_proxy", "http_proxy"].map((name) => ({ [name]: "http://127.0.0.1:1" }));
  for (const [target, want] of [
    ["kubernetes:///server", true],
    ["kubernetes:///server.default", true],
    ["kubernetes:///server.default:30051", true],
    ["kubernetes:///server.default:grpc", false],
    ["kubernetes://default/server", true],
    ["kubernetes://default/server:30051", true],
    ["kubernetes://default/server:grpc", false],
    ["kubernetes://server.default", true],
    ["kubernetes://server.default/", true],
    ["kubernetes://server.default:30051", true],
    ["kubernetes://server.default:30051/", false],
    ["kubernetes://server.default:grpc/", false],
  ] as const) {
    for (const env of proxies) assert.equal(isProxied(target, env), want, `${target} with ${JSON.stringify(env)}`);
    assert.equal(isProxied(target, proxies[2] ?? {}, { "grpc.enable_http_proxy": 0 }), false, target);
  }
  for (const [names, want] of [
    [{ no_proxy: ".default" }, false],
    [{ no_proxy: "example.com,server.default" }, false],
    [{ no_grpc_proxy: ".default", no_proxy: "example.com" }, false],
    [{ no_grpc_proxy: "example.com", no_proxy: ".default" }, true],
    [{ no_proxy: "*" }, true],
    [{ no_proxy: "server.default:30051" }, true],
    [{ NO_PROXY: ".default" }, true],
  ] as const) {
    const env = { http_proxy: "http://127.0.0.1:1", ...names };
    assert.equal(isProxied("kubernetes:///server.default:30051", env), want, JSON.stringify(names));
  }
});

async function answer(statusCode: number): Promise<{ server: Server; port: number }> {
  const server = createServer((_request, response) => {
    response.statusCode = statusCode;
    response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

test("a sidecar is found by its readiness answer, also when it is not ready yet", async () => {
  for (const [statusCode, want] of [
    [200, "Mesh"],
    [503, "Mesh"],
    [404, undefined],
  ] as const) {
    const { server, port } = await answer(statusCode);
    const sidecars = [
      { mesh: "Other", port: await closedPort(), path: "/" },
      { mesh: "Mesh", port, path: "/ready" },
    ];
    assert.equal(await findSidecar(sidecars), want, `${statusCode}`);
    server.close();
  }
  assert.equal(await findSidecar([{ mesh: "Other", port: await closedPort(), path: "/" }]), undefined);
  await assertNothingLeft();
});

for (const [what, bytes] of [
  ["accepts and is silent", ""],
  ["switches protocols", "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"],
  ["sends a byte now and then", "H"],
  ["sends informational answers", "HTTP/1.1 103 Early Hints\r\n\r\n"],
] as const) {
  test(`the probe for a sidecar ends within a second when the peer ${what}`, async () => {
    const sockets = new Set<Socket>();
    const server = createSocketServer((socket) => {
      sockets.add(socket.on("error", () => {}));
      const drip = setInterval(() => socket.writable && socket.write(bytes), 50);
      socket.on("close", () => clearInterval(drip));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const beganMs = performance.now();
    const { port } = server.address() as AddressInfo;
    assert.equal(await findSidecar([{ mesh: "Mesh", port, path: "/" }]), undefined);
    const tookMs = performance.now() - beganMs;
    assert.ok(tookMs < 5_000, `expected about 0.5 s, got ${tookMs} ms`);
    for (const socket of sockets) socket.destroy();
    server.close();
    await assertNothingLeft();
  });
}
