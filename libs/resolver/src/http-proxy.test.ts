import assert from "node:assert/strict";
import { test } from "node:test";
import { Channel, type ChannelOptions, credentials } from "@grpc/grpc-js";
import { Rig } from "../testing/rig.ts";
import { warnOfProxy } from "./http-proxy.ts";

test("the variable that grpc-js takes is named, and its value is not", () => {
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
    const said = warnOfProxy(env);
    assert.equal(said?.split(" ")[0], want, JSON.stringify(env));
    assert.doesNotMatch(said ?? "", /secret|example/);
  }
});

/** Whether grpc-js gives the target to the proxy of its environment. */
function isProxied(target: string, env: NodeJS.ProcessEnv, options: ChannelOptions = {}): boolean {
  const before = { ...process.env };
  Object.assign(process.env, env); // which grpc-js reads when a channel is made
  const channel = new Channel(target, credentials.createInsecure(), options);
  process.env = before;
  const isOurs = channel.getTarget().startsWith("kubernetes:");
  channel.close();
  return !isOurs;
}

test("what README says of proxies is what grpc-js does", (t) => {
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
