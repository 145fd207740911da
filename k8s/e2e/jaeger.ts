import type { Kubectl } from "../cluster/kubectl.ts";

/** A span as Jaeger's API has it. */
export interface Span {
  readonly spanID: string;
  readonly operationName: string;
  readonly processID: string;
  readonly references: readonly { readonly spanID: string }[];
  readonly tags: readonly Tag[];
}

export interface Tag {
  readonly key: string;
  readonly value: unknown;
}

/** A trace as Jaeger's API has it. */
export interface Trace {
  readonly traceID: string;
  readonly spans: readonly Span[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string; readonly tags?: readonly Tag[] }>>;
}

/** A Jaeger in the namespace. */
export interface Jaeger {
  /** For `OTLP_ENDPOINT`. */
  readonly endpoint: string;
  /** The traces of a service that have a span with these tags, at most `limit`. */
  find(service: string, tags?: Readonly<Record<string, string>>, limit?: number): Promise<readonly Trace[]>;
}

/** Starts Jaeger, all in one and in memory. An empty image stands for the published one. */
export async function startJaeger(kubectl: Kubectl, image: string): Promise<Jaeger> {
  const labels = { app: "jaeger", "app.kubernetes.io/part-of": "grpc-lb" };
  const container = {
    name: "jaeger",
    image: image || "docker.io/jaegertracing/jaeger:2.13.0",
    imagePullPolicy: "IfNotPresent",
    ...(image && { command: ["jaeger"] }),
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
        template: {
          metadata: { labels },
          spec: { containers: [container], automountServiceAccountToken: false, terminationGracePeriodSeconds: 1 },
        },
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
  return {
    endpoint: "http://jaeger:4318",
    async find(service, tags = {}, limit = 100) {
      const query = new URLSearchParams({
        service,
        limit: String(limit),
        lookback: "1h",
        tags: JSON.stringify(tags),
      });
      const path = `/api/v1/namespaces/${kubectl.namespace}/services/jaeger:16686/proxy/api/traces?${query}`;
      const { code, stdout } = await kubectl.try(["get", "--raw", path]);
      return code === 0 ? (JSON.parse(stdout).data ?? []) : [];
    },
  };
}

/** A tag of a span. */
export const tagOf = (span: Span, key: string) => span.tags.find((tag) => tag.key === key)?.value;

/** The service of a span. */
export const serviceOf = ({ processes }: Trace, { processID }: Span) => processes[processID]?.serviceName;

/** The pod whose process has made a span. */
export const podOf = ({ processes }: Trace, { processID }: Span) =>
  processes[processID]?.tags?.find(({ key }) => key === "k8s.pod.name")?.value;

/** The spans directly below a span. */
export const childrenOf = ({ spans }: Trace, { spanID }: Span) =>
  spans.filter(({ references }) => references.some((parent) => parent.spanID === spanID));
