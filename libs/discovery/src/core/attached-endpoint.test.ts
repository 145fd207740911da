import assert from "node:assert/strict";
import { test } from "node:test";
import { attachEndpoint, endpointOf } from "./attached-endpoint.ts";
import type { Endpoint } from "./snapshot.ts";

const endpoint: Endpoint = {
  id: "a",
  addresses: [{ host: "10.0.0.1", port: 80 }],
  weight: 3,
  zone: "zone-a",
  forZones: [],
  nodeName: undefined,
  metadata: {},
};

test("an endpoint is read from what it was attached to, also from a copy of that", () => {
  const carrier = attachEndpoint({ addresses: [] }, endpoint);
  assert.equal(endpointOf(carrier), endpoint);
  assert.equal(endpointOf({ ...carrier }), endpoint);
  assert.deepEqual(carrier.addresses, []);
});

test("an object of another resolver carries none", () => {
  assert.equal(endpointOf({}), undefined);
});
