/**
 * The component `tracing` with a real Jaeger: one trace goes from a client's call over an attempt that fails at one pod and its retry to
 * the pod that answered.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nextCalls, readClient } from "./client.ts";
import { allowFaults, setFaults } from "./faults.ts";
import { buildImages } from "./images.ts";
import { childrenOf, type Jaeger, podOf, serviceOf, startJaeger, type Trace, tagOf } from "./jaeger.ts";
import { makeOk } from "./make.ts";
import { programImage } from "./program-image.ts";
import { readyServersOf } from "./server.ts";
import { beginStory, type Step } from "./story.ts";
import { until } from "./until.ts";

const { kubectl, inNamespace, step, report, isReplaced, requireNoErrors } = await beginStory("tracing");
const found = await programImage(kubectl, "jaeger");
const method = "pod.v1.PodService/GetPod";
const statusOf = "rpc.response.status_code";
const pod = "k8s.pod.name";
let servers: readonly string[] = [];
let jaeger: Jaeger;

function jaegerStep(what: string, body: Step): void {
  if (found.image === null) test(what, { skip: found.why }, () => {});
  else step(what, body);
}

/** The trace in few words: each span with its service, its pod and its status, below its parent. */
function describeTrace(trace: Trace): string {
  const describe = (span: Trace["spans"][number]): string => {
    const below = childrenOf(trace, span).map(describe);
    const code = tagOf(span, statusOf) ?? tagOf(span, "http.response.status_code");
    const where = serviceOf(trace, span) === "server" ? ` in ${podOf(trace, span)}` : "";
    const to = tagOf(span, pod) === undefined ? "" : ` to ${tagOf(span, pod)}`;
    const text = `${serviceOf(trace, span)} ${span.operationName}${where}${to} ${code}`;
    return below.length > 0 ? `${text} [${below.join(", ")}]` : text;
  };
  const roots = trace.spans.filter(({ references }) => references.length === 0);
  return `trace ${trace.traceID}: ${roots.map(describe).join(", ")}`;
}

jaegerStep("server and clients export traces", async () => {
  await buildImages();
  await makeOk("kube-deploy", { ...inNamespace, STRATEGY: "resolver", COMPONENTS: "tracing" });
  jaeger = await startJaeger(kubectl, found.image ?? "");
  const retryPolicy = {
    maxAttempts: 3,
    initialBackoff: "0.01s",
    maxBackoff: "0.1s",
    backoffMultiplier: 2,
    retryableStatusCodes: ["UNAVAILABLE"],
  };
  const retries = JSON.stringify({ methodConfig: [{ name: [{}], retryPolicy }] });
  const endpoint = `OTLP_ENDPOINT=${jaeger.endpoint}`;
  await allowFaults(kubectl, { OTLP_ENDPOINT: jaeger.endpoint });
  await kubectl.run(["rollout", "status", "deployment/server", "--timeout=240s"]);
  servers = await readyServersOf(kubectl, 3);
  await kubectl.run(["set", "env", "deployment/client-http", endpoint, "INTERVAL=200ms"]);
  await kubectl.run(["set", "env", "deployment/client-grpc", endpoint, "INTERVAL=200ms", `SERVICE_CONFIG=${retries}`]);
  await Promise.all(["client-http", "client-grpc"].map(isReplaced));
});

jaegerStep("one trace goes from client-http to the pod that answered", async (t) => {
  const trace = await until("a trace of client-http with the server's span", 120_000, async () => {
    const traces = await jaeger.find("client-http", { "http.response.status_code": "200" });
    const whole = traces.find((trace) => trace.spans.some((span) => serviceOf(trace, span) === "server"));
    return whole ? { value: whole } : { seen: `${traces.length} traces` };
  });
  const [call, ...others] = trace.spans.filter((span) => serviceOf(trace, span) === "client-http");
  assert.ok(call && others.length === 0, "a call is one span of the client");
  assert.deepEqual(call.references, [], "the trace begins with it");
  const [served, ...more] = childrenOf(trace, call);
  assert.ok(served && more.length === 0, "one server has answered");
  assert.equal(trace.spans.length, 2);
  assert.equal(served.operationName, "GET /pod");
  assert.equal(tagOf(served, "http.response.status_code"), 200);
  assert.ok(servers.includes(String(podOf(trace, served))), `${podOf(trace, served)} is one of ${servers}`);
  report(t, describeTrace(trace));
  await requireNoErrors(t);
});

jaegerStep(
  "one trace goes from client-grpc over an attempt that fails and its retry to the pod that answered",
  async (t) => {
    const [failing = ""] = servers;
    assert.match(await setFaults(kubectl, failing, "error=UNAVAILABLE"), /^200 error=UNAVAILABLE/);
    const trace = await until("a trace with a failed attempt and its retry", 120_000, async () => {
      const traces = await jaeger.find("client-grpc", { [statusOf]: "UNAVAILABLE" });
      // The server sends its spans for itself, so they may come later.
      const whole = traces.find(({ spans }) => spans.length === 5);
      return whole
        ? { value: whole }
        : { seen: `${traces.length} traces, ${traces.map(({ spans }) => spans.length)} spans` };
    });
    report(t, describeTrace(trace));
    const calls = trace.spans.filter(({ references }) => references.length === 0);
    assert.deepEqual(
      calls.map((span) => [serviceOf(trace, span), span.operationName, tagOf(span, statusOf)]),
      [["client-grpc", method, "OK"]],
      "the trace begins with the call, which has succeeded",
    );
    const [call] = calls;
    assert.ok(call);
    const attempts = childrenOf(trace, call).sort(
      (a, b) => Number(tagOf(a, "previous-rpc-attempts")) - Number(tagOf(b, "previous-rpc-attempts")),
    );
    const answering = String(tagOf(call, pod));
    assert.notEqual(answering, failing, "another pod has answered");
    assert.ok(servers.includes(answering), `${answering} is one of ${servers}`);
    const expected = [
      [0, failing, "UNAVAILABLE"],
      [1, answering, "OK"],
    ];
    assert.deepEqual(
      attempts.map((span) => [tagOf(span, "previous-rpc-attempts"), tagOf(span, pod), tagOf(span, statusOf)]),
      expected,
      "the attempts, with the pods that they went to",
    );
    const served = attempts.map((attempt) => childrenOf(trace, attempt));
    assert.deepEqual(
      served.map((spans) => spans.map((span) => [serviceOf(trace, span), podOf(trace, span), tagOf(span, statusOf)])),
      expected.map(([, server, code]) => [["server", server, code]]),
      "below each attempt is the span of the pod that got it",
    );
  },
);

jaegerStep("no call of client-grpc fails, and the pod with the fault answers none", async (t) => {
  const [failing = "", ...others] = servers;
  // A call that began before the fault may still be written.
  await nextCalls(kubectl, "client-grpc", 5);
  const calls = await nextCalls(kubectl, "client-grpc", 30);
  assert.deepEqual([...new Set(calls)].sort(), [...others].sort());
  assert.deepEqual((await readClient(kubectl, "client-grpc")).errors, []);
  assert.match(await setFaults(kubectl, failing, ""), /^200 none/);
  await until("calls to the pod without its fault", 60_000, async () => {
    const seen = await nextCalls(kubectl, "client-grpc", 10);
    return seen.includes(failing) ? { value: true } : { seen: seen.join(", ") };
  });
  report(
    t,
    `${failing} failed every call, and client-grpc none of ${(await readClient(kubectl, "client-grpc")).calls.length}`,
  );
});
