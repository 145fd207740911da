/**
 * The component `tracing` with a real Jaeger: one trace goes from a client's call over an attempt that fails and its retry to the pod that
 * answered.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeOk } from "./make.ts";
import { programImage } from "./program-image.ts";
import { readyServersOf } from "./server.ts";
import { beginStory, buildImages, type Step } from "./story.ts";
import { until } from "./until.ts";

const { kubectl, inNamespace, step, report, namespace } = await beginStory("tracing");
const found = await programImage(kubectl, "jaeger");

/** A span as Jaeger's API has it. */
interface Span {
  readonly spanID: string;
  readonly operationName: string;
  readonly processID: string;
  readonly references: readonly { readonly spanID: string }[];
  readonly tags: readonly { readonly key: string; readonly value: unknown }[];
}
interface Trace {
  readonly traceID: string;
  readonly spans: readonly Span[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string }>>;
}

function jaegerStep(what: string, body: Step): void {
  if (found.image === null) test(what, { skip: found.why }, () => {});
  else step(what, body);
}

async function startJaeger(): Promise<void> {
  const image = found.image || "docker.io/jaegertracing/jaeger:2.13.0";
  const labels = { app: "jaeger", "app.kubernetes.io/part-of": "grpc-lb" };
  const container = {
    name: "jaeger",
    image,
    imagePullPolicy: "IfNotPresent",
    ...(found.image && { command: ["jaeger"] }),
    env: [{ name: "JAEGER_LISTEN_HOST", value: "0.0.0.0" }],
  };
  const ports = [4318, 16686].map((port) => ({ name: `port-${port}`, port }));
  const items = [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "jaeger", labels },
      spec: {
        selector: { matchLabels: { app: "jaeger" } },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "jaeger", labels },
      spec: { selector: { app: "jaeger" }, ports },
    },
  ];
  await kubectl.run(["create", "-f", "-"], { input: JSON.stringify({ apiVersion: "v1", kind: "List", items }) });
  await kubectl.run(["rollout", "status", "deployment/jaeger", "--timeout=120s"]);
}

/** The traces of a service that have a span with this tag. */
async function findTraces(service: string, tag: Readonly<Record<string, string>>): Promise<readonly Trace[]> {
  const query = new URLSearchParams({ service, limit: "100", lookback: "1h", tags: JSON.stringify(tag) });
  const path = `/api/v1/namespaces/${namespace}/services/jaeger:16686/proxy/api/traces?${query}`;
  const { code, stdout } = await kubectl.try(["get", "--raw", path]);
  return code === 0 ? (JSON.parse(stdout).data ?? []) : [];
}

const valueOfTag = ({ tags }: Span, key: string) => tags.find((tag) => tag.key === key)?.value;

jaegerStep("one trace goes from client-grpc over the retry to the pod that answered", async (t) => {
  await buildImages();
  await makeOk("kube-deploy", { ...inNamespace, STRATEGY: "resolver", COMPONENTS: "tracing" });
  await startJaeger();
  const retries = {
    methodConfig: [
      {
        name: [{}],
        retryPolicy: {
          maxAttempts: 4,
          initialBackoff: "0.01s",
          maxBackoff: "0.1s",
          backoffMultiplier: 2,
          retryableStatusCodes: ["UNAVAILABLE"],
        },
      },
    ],
  };
  const endpoint = "OTLP_ENDPOINT=http://jaeger:4318";
  await kubectl.run(["set", "env", "deployment/server", endpoint, "ERROR_RATE=0.3"]);
  await kubectl.run(["set", "env", "deployment/client-http", endpoint]);
  await kubectl.run(["set", "env", "deployment/client-grpc", endpoint, `SERVICE_CONFIG=${JSON.stringify(retries)}`]);
  for (const app of ["server", "client-http", "client-grpc"])
    await kubectl.run(["rollout", "status", `deployment/${app}`, "--timeout=180s"]);
  const servers = await readyServersOf(kubectl, 3);

  const { trace, spans } = await until("a trace with a retry in Jaeger", 120_000, async () => {
    const traces = await findTraces("client-grpc", { "rpc.method": "pod.v1.PodService/GetPod" });
    const all = traces.length > 0 ? traces : await findTraces("client-grpc", {});
    for (const trace of all) {
      const serviceOf = (span: Span) => trace.processes[span.processID]?.serviceName;
      const served = trace.spans.filter((span) => serviceOf(span) === "server");
      const called = trace.spans.filter((span) => serviceOf(span) === "client-grpc");
      if (served.length >= 2 && called.length >= 3) return { value: { trace, spans: { served, called } } };
    }
    const [first] = all;
    return { seen: `${all.length} traces, ${JSON.stringify(first?.spans.map(({ operationName }) => operationName))}` };
  });
  const ids = new Set(spans.called.map(({ spanID }) => spanID));
  for (const span of spans.served)
    assert.ok(
      span.references.some(({ spanID }) => ids.has(spanID)),
      `${span.operationName} of the server is below a span of the client`,
    );
  const pods = spans.called.map((span) => valueOfTag(span, "k8s.pod.name")).filter((pod) => pod !== undefined);
  assert.ok(pods.length > 0, "the client's spans name the pod");
  for (const pod of pods) assert.ok(servers.includes(String(pod)), `${pod} is a server`);
  const names = trace.spans.map((span) => `${trace.processes[span.processID]?.serviceName}: ${span.operationName}`);
  report(t, `trace ${trace.traceID}: ${names.join(", ")}; pods ${[...new Set(pods)].join(", ")}`);
});

jaegerStep("one trace goes from client-http to the pod that answered", async (t) => {
  const trace = await until("a trace of client-http in Jaeger", 60_000, async () => {
    const traces = await findTraces("client-http", {});
    const services = ({ processes }: Trace) => Object.values(processes).map(({ serviceName }) => serviceName);
    const whole = traces.find((each) => services(each).includes("server") && services(each).includes("client-http"));
    return whole ? { value: whole } : { seen: `${traces.length} traces` };
  });
  report(t, `trace ${trace.traceID}: ${trace.spans.map(({ operationName }) => operationName).join(", ")}`);
});
