// The tests that every source of @grpc-lb/discovery passes, run on ours.
import { after, before, test } from "node:test";
import { formatAddress } from "@grpc-lb/discovery";
import { type SourceWorld, sourceBehaviours } from "@grpc-lb/discovery/testing";
import { Inventory } from "./inventory.ts";
import { createInventorySource } from "./inventory-source.ts";

const inventory = new Inventory();
before(() => inventory.start());
after(() => inventory.stop());

const world: SourceWorld = {
  createSource: (service) => createInventorySource(inventory.url, service),
  put: async (service, { address, weight = 1 }) => inventory.put(service, { address: formatAddress(address), weight }),
  remove: async (service, address) => inventory.remove(service, formatAddress(address)),
  hasWeights: true,
  outage: { stop: () => inventory.stop(), start: () => inventory.start() },
};

for (const [n, { name, cannot, run }] of sourceBehaviours.entries()) {
  test(name, { skip: cannot(world) ?? false, timeout: 30_000 }, () => run(world, `service${n}x`));
}
