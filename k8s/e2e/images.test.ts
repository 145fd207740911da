import assert from "node:assert/strict";
import { test } from "node:test";
import { deliveryTarget } from "./images.ts";

test("images with a prefix are loaded into a cluster on this machine, and pushed for any other", () => {
  assert.equal(deliveryTarget(true, true), "kube-load");
  assert.equal(deliveryTarget(true, false), "docker-push");
});

test("images without a prefix are left to kube-deploy, which loads them", () => {
  assert.equal(deliveryTarget(false, true), undefined);
  assert.equal(deliveryTarget(false, false), undefined);
});
