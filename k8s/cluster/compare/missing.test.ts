import assert from "node:assert/strict";
import { test } from "node:test";
import { whatIsMissing } from "./missing.ts";

test("an image that the nodes cannot pull is missing, by its name and variable", () => {
  const problem =
    'nginx did not roll out: pod nginx-1: ImagePullBackOff: Back-off pulling image "docker.io/library/nginx:1.28": ErrImagePull: fa…; ' +
    "the nodes must have the image or be able to pull it; NGINX_IMAGE=… sets another";
  assert.equal(
    whatIsMissing(problem),
    "the nodes cannot pull docker.io/library/nginx:1.28; NGINX_IMAGE=… sets another",
  );
});

test("load balancers without an address are missing; a server that does not start is a failure", () => {
  const problem = "this cluster gives Services of type LoadBalancer no address: server-outside has none after 60 s";
  assert.equal(whatIsMissing(problem), problem);
  assert.equal(whatIsMissing("server did not roll out: pod server-1: CrashLoopBackOff"), null);
  const unloaded =
    "server did not roll out: pod server-1: ErrImageNeverPull; the images are not on the nodes: make kube-load";
  assert.equal(whatIsMissing(unloaded), null, "the project's own images");
});
