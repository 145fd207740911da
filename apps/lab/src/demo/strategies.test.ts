import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { policyNames } from "@grpc-lb/policies";
import { demoPolicies, expectationOf } from "./expectations.ts";
import { clientArgs, createStrategies } from "./strategies.ts";

const addresses = {
  serviceHttpPort: 1,
  serviceGrpcPort: 2,
  serviceAgingPort: 8,
  nodePort: 14,
  loadBalancerPort: 15,
  controlPlane: { xds: 16, envoy: 17 },
  podGrpcPorts: [3, 4],
  kubeconfig: "/k",
  dnsPort: 5,
  endpointsFile: "/tmp/a lab/endpoints.yaml",
  proxies: { envoy: 10, nginx: 11, haproxy: 12, "host-proxy": 13 },
  registries: { etcd: "etcd://127.0.0.1:6/server", consul: "consul://127.0.0.1:7/server" },
};

const argsUnder = (policy: string) =>
  createStrategies(policy).map((strategy) => clientArgs(strategy, addresses, 200).join(" "));

describe("the strategies", () => {
  it("pass the policy to the clients that know the pods, and to no other", () => {
    assert.deepEqual(argsUnder("least_request"), [
      "--target http://127.0.0.1:1/pod --interval 200ms",
      "--target 127.0.0.1:2 --interval 200ms",
      "--target ipv4:127.0.0.1:3,127.0.0.1:4 --policy least_request --interval 200ms",
      "--target kubernetes:///server.default:grpc --policy least_request --interval 200ms",
      "--target etcd://127.0.0.1:6/server --policy least_request --interval 200ms",
      "--target consul://127.0.0.1:7/server --policy least_request --interval 200ms",
      "--target dns-poll://127.0.0.1:5/server.lab:grpc?refresh=2s --policy least_request --interval 200ms",
      "--target file:///tmp/a%20lab/endpoints.yaml --policy least_request --interval 200ms",
      "--target 127.0.0.1:8 --interval 200ms",
      "--target 127.0.0.1:10 --interval 200ms",
      "--target 127.0.0.1:11 --interval 200ms",
      "--target 127.0.0.1:12 --interval 200ms",
      "--target 127.0.0.1:13 --interval 200ms",
      "--target 127.0.0.1:14 --interval 200ms",
      "--target 127.0.0.1:15 --interval 200ms",
      "--target xds://127.0.0.1:16/server --policy least_request --interval 200ms",
      "--target xds:///server --interval 200ms",
      "--target 127.0.0.1:17 --interval 200ms",
    ]);
  });

  it("do not pass round_robin to a client whose default it is", () => {
    assert.deepEqual(argsUnder("round_robin").slice(2, 4), [
      "--target ipv4:127.0.0.1:3,127.0.0.1:4 --policy round_robin --interval 200ms",
      "--target kubernetes:///server.default:grpc --interval 200ms",
    ]);
  });

  it("configure hash policies with the host's name as the key", () => {
    assert.match(argsUnder("maglev")[3] ?? "", / --policy maglev\{"key":"hostname"\} /);
  });

  it("are described in at most 22 characters, for narrow columns", () => {
    for (const { name, way, connections } of createStrategies("round_robin")) {
      assert.ok(way.length <= 22 && connections.length <= 22, `${name}: "${way}", "${connections}"`);
    }
  });

  it("explain their verdict in one line of 80 columns", () => {
    for (const policy of demoPolicies) {
      for (const { name, why } of createStrategies(policy)) assert.ok(why.length <= 76, `${policy}, ${name}: "${why}"`);
    }
  });

  it("have an expectation of every policy", () => {
    for (const name of demoPolicies) assert.notEqual(expectationOf(name).why, expectationOf("toString").why, name);
    for (const name of policyNames) assert.ok(demoPolicies.includes(name), name);
  });
});
