import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { assertNothingLeft, ManualClock, until } from "@grpc-lb/core/testing";
import { FakeApiServer } from "../../testing/fake-api-server.ts";
import type { Input } from "../input.ts";
import { watchCluster } from "./watch-cluster.ts";

const server = (name: string, isReady: boolean) => ({
  metadata: { name, resourceVersion: "2", labels: { app: "server" } },
  spec: { nodeName: "n1" },
  status: { conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] },
});

const client = (name: string, app = "client-grpc") => ({
  metadata: { name, resourceVersion: "2", labels: { app }, creationTimestamp: "2026-01-01T00:00:00Z" },
  status: { phase: "Running", containerStatuses: [{ name: app, restartCount: 0, state: { running: {} } }] },
});

const slice = {
  metadata: { name: "server-1", labels: { "kubernetes.io/service-name": "server" } },
  ...{ addressType: "IPv4", ports: [{ name: "grpc", port: 30051 }] },
  endpoints: [{ addresses: ["10.0.0.1"], zone: "z1", targetRef: { kind: "Pod", name: "server-a", uid: "u" } }],
};

async function watch(t: TestContext, prepare: (api: FakeApiServer) => void, allowActions = false) {
  const api = await FakeApiServer.start();
  api.pods = [server("server-a", true), client("grpc-1"), client("http-1", "client-http")];
  api.slices = [slice];
  prepare(api);
  const inputs: Input[] = [];
  const clock = new ManualClock();
  const ending = new AbortController();
  const options = { access: api.access, namespace: "demo", strategy: "resolver", policy: "", allowActions, clock };
  const cluster = watchCluster({ ...options, onInput: (input) => inputs.push(input) }, ending.signal);
  t.after(async () => {
    ending.abort();
    await cluster.ended;
    await api.close();
    await assertNothingLeft();
  });
  const has = (input: object) => inputs.some((each) => JSON.stringify(each) === JSON.stringify(input));
  const untilInput = (input: object) =>
    until(() => has(input), `${JSON.stringify(input)} in ${JSON.stringify(inputs)}`);
  /** Moves the clock until the log of a pod is followed: a client's log is looked for once a second. */
  const untilFollowed = async (pod: string) =>
    until(() => {
      clock.advance(1_000);
      return api.isFollowed(pod);
    }, `the log of ${pod} to be followed`);
  return { api, inputs, cluster, untilInput, untilFollowed };
}

test("the pods, their zones and the pods that the Service has are on the page, as they change", async (t) => {
  const { api, inputs, untilInput } = await watch(t, () => {});
  const [hello, ...clients] = inputs;
  assert.deepEqual(hello, { t: "hello", title: "demo: resolver", actions: [] });
  assert.deepEqual(
    clients.flatMap((input) => (input.t === "client" ? [[input.name, input.way, input.rule]] : [])),
    [
      ["client-http", "HTTP/1.1, the Service", "random"],
      ["client-grpc", "gRPC, resolver", "round_robin"],
    ],
  );
  await untilInput({ t: "endpoints", pods: ["server-a"] });
  await untilInput({ t: "pod", pod: "server-a", state: "ready", node: "n1", zone: "z1" });
  api.send("ADDED", server("server-b", false));
  await untilInput({ t: "pod", pod: "server-b", state: "added", node: "n1", zone: "" });
  api.send("MODIFIED", server("server-b", true));
  await untilInput({ t: "pod", pod: "server-b", state: "ready", node: "n1", zone: "" });
  api.send("DELETED", server("server-b", true));
  await untilInput({ t: "pod", pod: "server-b", state: "gone", node: "n1", zone: "" });
});

test("a log that ends is followed on from its last line, and that of the pod that replaces its pod from the start", async (t) => {
  const { api, inputs, untilInput, untilFollowed } = await watch(t, () => {});
  await untilFollowed("grpc-1");
  api.log("grpc-1", "2026-01-01T00:00:01Z #1: server-a");
  await untilInput({ t: "line", client: "client-grpc", line: "#1: server-a" });
  api.endLog("grpc-1");
  await untilFollowed("grpc-1");
  api.log("grpc-1", "2026-01-01T00:00:01Z #1: server-a");
  api.log("grpc-1", "2026-01-01T00:00:02Z #2: server-b");
  await untilInput({ t: "line", client: "client-grpc", line: "#2: server-b" });
  api.send("DELETED", client("grpc-1"));
  api.send("ADDED", client("grpc-2"));
  api.send("ADDED", server("server-c", true));
  await untilInput({ t: "pod", pod: "server-c", state: "ready", node: "n1", zone: "" });
  api.endLog("grpc-1");
  await untilFollowed("grpc-2");
  api.log("grpc-2", "2026-01-01T00:00:03Z #1: server-a");
  await until(() => inputs.filter(({ t }) => t === "line").length === 3, "the line of the new pod");
  assert.deepEqual(
    api.logRequests.filter((request) => request.startsWith("grpc")),
    [
      "grpc-1 follow=true&timestamps=true&tailLines=0",
      "grpc-1 follow=true&timestamps=true&sinceTime=2026-01-01T00%3A00%3A01.000000000Z",
      "grpc-2 follow=true&timestamps=true",
    ],
  );
});

test("what cannot be read is a note while that lasts", async (t) => {
  const { api, untilInput, untilFollowed } = await watch(t, (api) => api.forbidden.add("log"));
  const note = "kubernetes: log of demo/grpc-1: 403 Forbidden: no right";
  const notes = untilFollowed("grpc-1");
  await untilInput({ t: "note", text: note });
  api.forbidden.clear();
  await notes;
  await untilInput({ t: "note", text: "" });
});

test("with its buttons the page scales, deletes, restarts and sets EVENTS, and says what failed", async (t) => {
  const { api, inputs, cluster, untilInput } = await watch(t, () => {}, true);
  const [hello] = inputs;
  assert.ok(hello?.t === "hello");
  assert.deepEqual(
    hello.actions.map(({ key }) => key),
    ["+", "-", "k", "r", "c"],
  );
  await untilInput({ t: "pod", pod: "server-a", state: "ready", node: "n1", zone: "z1" });
  const press = async (name: string, count: number) => {
    const before = api.changes.length;
    cluster.act(name);
    await until(() => api.changes.length === before + count, `${count} changes by ${name}`);
    return api.changes.slice(before);
  };
  const deployments = "/apis/apps/v1/namespaces/demo/deployments";
  const merge = "application/merge-patch+json";
  const scaled = (replicas: number) => [
    {
      what: `PATCH ${deployments}/server/scale`,
      type: merge,
      body: { metadata: { resourceVersion: "7" }, spec: { replicas } },
    },
  ];
  assert.deepEqual(await press("scale-up", 1), scaled(4));
  assert.deepEqual(await press("scale-down", 1), scaled(2));
  assert.deepEqual(await press("delete-pod", 1), [
    { what: "DELETE /api/v1/namespaces/demo/pods/server-a", type: "", body: null },
  ]);
  const [restart] = await press("restart", 1);
  assert.equal(restart?.what, `PATCH ${deployments}/server`);
  assert.match(JSON.stringify(restart.body), /"kubectl.kubernetes.io\/restartedAt":"20\d\d-/);
  const events = await press("report", 2);
  assert.deepEqual(
    events.map(({ what }) => what),
    [`PATCH ${deployments}/client-http`, `PATCH ${deployments}/client-grpc`],
  );
  assert.match(JSON.stringify(events[1]?.body), /"name":"client-grpc","env":\[\{"name":"EVENTS","value":"true"\}\]/);
  api.forbidden.add("scale");
  cluster.act("scale-up");
  await untilInput({ t: "note", text: "kubernetes: get the scale of deployment server: 403 Forbidden: no right" });
});

test("without actions none is offered and none is done", async (t) => {
  const { api, inputs, cluster, untilInput } = await watch(t, () => {});
  await untilInput({ t: "pod", pod: "server-a", state: "ready", node: "n1", zone: "z1" });
  cluster.act("delete-pod");
  cluster.act("scale-up");
  api.send("ADDED", server("server-b", true));
  await untilInput({ t: "pod", pod: "server-b", state: "ready", node: "n1", zone: "" });
  assert.deepEqual(api.changes, []);
  assert.ok(!inputs.some((input) => input.t === "note" && input.text !== "" && !input.text.includes("no pod found")));
});
