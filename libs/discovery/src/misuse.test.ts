/** What JavaScript may pass, and a misspelt option, throw at once and say what was expected. No error repeats a value. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createConsulSource, registerInConsul } from "./consul/index.ts";
import { createDnsPollSource } from "./dns/index.ts";
import { createEtcdSource, registerInEtcd } from "./etcd/index.ts";
import { createFileSource } from "./file/index.ts";
import { createSource, defineSource, formatAddress, parseAddress, parseTarget } from "./index.ts";
import { createKubeconfigAccess, createKubernetesSource, createServiceAccountAccess } from "./kubernetes/index.ts";
import { parseRegistrationTarget, register } from "./register.ts";
import { createStaticSource } from "./static/index.ts";

type Call = (...args: never[]) => unknown;

const access = createKubeconfigAccess("/nowhere");
access.catch(() => {}); // there is no such file
const address = { host: "10.0.0.1", port: 80 };
const instance = { service: "s", address };
const etcd = { endpoints: ["h:1"], service: "s" };
const consul = { agent: address, service: "s" };
const target = "static:///10.0.0.1:80";
const source = createSource(target);

const table: readonly (readonly [Call, readonly unknown[], RegExp])[] = [
  [createSource, [], /^target must be a text such as kubernetes:.*, got nothing$/],
  [createSource, [80], /^target must be a text such as .*, got a number$/],
  [createSource, [{ t: "kubernets" }], /^target must be a text such as .*, got an object$/],
  [createSource, [target, null], /^createSource: the options must be an object, got null$/],
  [
    createSource,
    [target, { etdc: {} }],
    /^createSource: unknown option etdc; known options: background, consul, etcd, kubernetes, xds$/,
  ],
  [
    createSource,
    [target, { etcd: { credentials: { pasword: "secret" } } }],
    /unknown option etcd\.credentials\.pasword; known options: password, passwordFile, tls, user$/,
  ],
  [
    createSource,
    [target, { consul: { credentials: "secret" } }],
    /consul\.credentials must be an object, got a string$/,
  ],
  [
    createSource,
    [target, { kubernetes: { access } }],
    /kubernetes\.access must be an ApiAccess, such as createKubeconfigAccess\(\) resolves to, got a promise$/,
  ],
  [
    createSource,
    [target, { kubernetes: { preferredFamily: "ipv4" } }],
    /kubernetes\.preferredFamily must be IPv4 or IPv6, got a string$/,
  ],
  [parseTarget, [undefined], /^target must be a text such as .*, got nothing$/],
  [parseRegistrationTarget, [1], /^registration must be a text such as etcd:.*, got a number$/],
  [parseTarget, [target, "sttic"], /^parseTarget: expected must be one of kubernetes, .*, xds, got a string$/],
  [parseTarget, [target, null], /^parseTarget: expected must be one of .*, got null$/],
  [parseAddress, [], /^an address must be a text such as host:port, got nothing$/],
  [parseAddress, [80], /^an address must be a text such as host:port, got a number$/],
  [formatAddress, [], /^an address must be as \{ host: "10\.0\.0\.1", port: 80 \}, got nothing$/],
  [formatAddress, [null], /^an address must be as .*, got null$/],
  [formatAddress, ["10.0.0.1:80"], /^an address must be as .*, got a string$/],
  [source.subscribe, [], /^static endpoints: the listener of subscribe must be a function, got nothing$/],
  [source.subscribe, [{}], /^static endpoints: the listener of subscribe must be a function, got an object$/],
  [source.watch, [null], /^static endpoints: the signal of watch must be an AbortSignal, got null$/],
  [source.watch, [new AbortController()], /^static endpoints: the signal of watch must be an .*, got an object$/],
  [defineSource, [{ subject: "s", key: "k" }], /^defineSource: start must be a function, got nothing$/],
  [createKubernetesSource, [], /^createKubernetesSource: the options must be an object, got nothing$/],
  [createKubernetesSource, ["server"], /^createKubernetesSource: the options must be an object, got a string$/],
  [
    createKubernetesSource,
    [{ service: "s", namspace: "n" }],
    /unknown option namspace; known options: access, background, /,
  ],
  [createKubernetesSource, [{ service: "s", port: null }], /port must be a string or a number, got null$/],
  [
    createEtcdSource,
    [{ ...etcd, endpoints: "h:1" }],
    /^createEtcdSource: endpoints must be a list of strings, got a string$/,
  ],
  [createEtcdSource, [{ ...etcd, answerTimeoutMs: "5s" }], /answerTimeoutMs must be a number, got a string$/],
  [createConsulSource, [{ ...consul, agent: "h:1" }], /^createConsulSource: agent must be an object, got a string$/],
  [createConsulSource, [{ ...consul, tags: "v1" }], /tags must be a list of strings, got a string$/],
  [createDnsPollSource, [{ name: "h" }], /^createDnsPollSource: port must be a string or a number, got nothing$/],
  [createFileSource, [{ path: new URL("file:///x") }], /^createFileSource: path must be a string, got an object$/],
  [
    createStaticSource,
    [{ endpoints: [address] }],
    /^createStaticSource: endpoints: unknown option host; known options: address, weight$/,
  ],
  [registerInEtcd, [{ endpoints: ["h:1"] }], /^registerInEtcd: instance must be an object, got nothing$/],
  [registerInEtcd, [{ endpoints: ["h:1"], instance, onErorr: () => {} }], /unknown option onErorr; known options: /],
  [
    registerInConsul,
    [{ agent: address, instance: { ...instance, metadata: "m" } }],
    /instance\.metadata must be an object, got a string$/,
  ],
  [
    registerInConsul,
    [{ agent: address, instance: { ...instance, metadata: { shard: 1 } } }],
    /instance\.metadata\.shard must be a string, got a number$/,
  ],
];

for (const [call, args, message] of table) {
  test(`${call.name}(${args.map((each) => typeof each)}): ${message.source}`, () => {
    assert.throws(() => call(...(args as never[])), { name: "TypeError", message });
  });
}

for (const [call, args, message] of [
  [register, ["etcd://h/s"], /^register: instance must be an object, got nothing$/],
  [
    register,
    ["etcd://h/s", { address, service: "s" }],
    /unknown option instance\.service; known options: address, metadata, weight$/,
  ],
  [
    register,
    ["etcd://h/s", { address, metadata: { zone: "z", shard: null } }],
    /^register: instance\.metadata\.shard must be a string, got null$/,
  ],
  [register, [1, { address }], /^registration must be a text such as/],
  [createKubeconfigAccess, [1], /^createKubeconfigAccess: path must be a string, got a number$/],
  [createServiceAccountAccess, [{ clock: {} }], /unknown option clock; known options: env, folder$/],
] as readonly (readonly [Call, readonly unknown[], RegExp])[]) {
  test(`${call.name}(${args.map((each) => typeof each)}): ${message.source}`, async () => {
    await assert.rejects(async () => call(...(args as never[])), { name: "TypeError", message });
  });
}
