import assert from "node:assert/strict";
import { test } from "node:test";
import { findImages } from "./find-images.ts";

test("images of other projects are found once, and the project's own are not", () => {
  const etcd = '      containers:\n        - name: etcd\n          image: "gcr.io/etcd-development/etcd:v3.6.13"\n';
  const own =
    "          image: grpc-lb/server:0.1.0\n          image: registry.example.com/team/grpc-lb/server:0.1.0\n";
  const first = "        - image: docker.io/hashicorp/consul:1.20\n";
  assert.deepEqual(findImages([etcd, own, first + etcd]), [
    "gcr.io/etcd-development/etcd:v3.6.13",
    "docker.io/hashicorp/consul:1.20",
  ]);
});
