import assert from "node:assert/strict";
import { test } from "node:test";
import { outsideVariable } from "./outside.ts";

const spec = { ports: [{ name: "http" }, { name: "grpc", nodePort: 31234 }] };

test("the client gets the node port, or the address or name of the load balancer", () => {
  assert.deepEqual(outsideVariable("nodeport", { spec }), { name: "NODE_PORT", value: "31234" });
  for (const [ingress, value] of [
    [{ ip: "203.0.113.7" }, "203.0.113.7"],
    [{ hostname: "lb.example.com" }, "lb.example.com"],
  ] as const) {
    const status = { loadBalancer: { ingress: [ingress] } };
    assert.deepEqual(outsideVariable("loadbalancer", { spec, status }), { name: "BALANCER", value });
  }
});

test("before the cluster has given one there is none", () => {
  assert.equal(outsideVariable("loadbalancer", { spec, status: { loadBalancer: {} } }), null);
  assert.equal(outsideVariable("nodeport", { spec: { ports: [{ name: "grpc" }] } }), null);
});
