import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { type Component, components, whyNotCombined } from "./cluster/components.ts";
import { writeKustomization } from "./cluster/kustomization.ts";

const here = import.meta.dirname;
const hasKubectl = spawnSync("kubectl", ["version", "--client"]).status === 0;
const skip = hasKubectl ? false : "kubectl is not on this machine";

// biome-ignore lint/suspicious/noExplicitAny: objects of the API
const objects: any[] = hasKubectl ? render("base") : [];
/** The objects of each strategy, of the live page, and of a strategy with components. */
const everything = hasKubectl
  ? [
      ["clusterip", objects] as const,
      ["live", render("live/read-only")] as const,
      ["live with actions", render("live/actions")] as const,
      ...readdirSync(join(here, "overlays")).map((name) => [name, render(`overlays/${name}`)] as const),
      ...combinations().map(
        ({ strategy, set }) => [`${strategy} with ${set}`, renderWith(`overlays/${strategy}`, set)] as const,
      ),
    ]
  : [];
const byKind = (kind: string) => objects.filter((object) => object.kind === kind);
const named = (kind: string, name: string) => byKind(kind).find(({ metadata }) => metadata.name === name);
const apps = ["client-grpc", "client-http", "server"];

test("base has three deployments, one container each, all of one name and its label", { skip }, () => {
  assert.deepEqual(
    byKind("Deployment")
      .map(({ metadata }) => metadata.name)
      .sort(),
    apps,
  );
  for (const { metadata, spec } of byKind("Deployment")) {
    assert.deepEqual(spec.selector.matchLabels, { app: metadata.name });
    assert.equal(spec.template.metadata.labels.app, metadata.name);
    assert.ok(spec.template.metadata.labels.version);
    assert.deepEqual(
      spec.template.spec.containers.map(({ name }: { name: string }) => name),
      [metadata.name],
    );
  }
});

test("every object and pod of each strategy has the label that kube-delete selects by", { skip }, () => {
  for (const [strategy, all] of everything) {
    for (const { kind, metadata, spec } of all) {
      const what = `${strategy}: ${kind} ${metadata.name}`;
      assert.equal(metadata.labels["app.kubernetes.io/part-of"], "grpc-lb", what);
      assert.equal(metadata.namespace, undefined, what);
      const template = templateOf(spec);
      if (template) assert.equal(template.metadata.labels["app.kubernetes.io/part-of"], "grpc-lb", what);
    }
  }
});

test("every pod of each strategy passes Pod Security restricted and has no rights or resources beyond its needs", {
  skip,
}, () => {
  for (const [strategy, all] of everything) {
    for (const { metadata, spec } of all.filter(({ spec }) => templateOf(spec))) {
      const what = `${strategy}: ${metadata.name}`;
      const pod = templateOf(spec).spec;
      assert.equal(pod.securityContext.runAsNonRoot, true, what);
      assert.equal(pod.securityContext.runAsUser, 65532, what);
      assert.deepEqual(pod.securityContext.seccompProfile, { type: "RuntimeDefault" }, what);
      const isWatcher = metadata.name === "live" || metadata.name === "control-plane";
      const watches = (strategy.startsWith("resolver") && metadata.name === "client-grpc") || isWatcher;
      assert.equal(pod.automountServiceAccountToken, watches, what);
      assert.equal(pod.enableServiceLinks, false, what);
      assert.equal(pod.hostNetwork, undefined, what);
      for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
        assert.deepEqual(
          container.securityContext,
          { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
          what,
        );
        assert.deepEqual(container.resources.requests, { cpu: "100m", memory: "100Mi" }, what);
        assert.deepEqual(container.resources.limits, { memory: "256Mi" }, what);
        assert.match(container.image, /:v?\d+\.\d+(\.\d+)?$/, what);
      }
    }
  }
});

test("client-grpc has the strategy of its manifests in an annotation, which kube-verdict reads", { skip }, () => {
  for (const [strategy, all] of everything.filter(([name]) => !name.startsWith("live"))) {
    const client = all.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "client-grpc");
    assert.equal(client.metadata.annotations["grpc-lb.dev/strategy"], strategy.replace(/ with .*/, ""));
  }
});

test("a proxy on each node gets the calls of that node's clients", { skip }, () => {
  const all = render("overlays/host-proxy");
  const service = all.find(({ kind, metadata }) => kind === "Service" && metadata.name === "host-proxy");
  assert.equal(service.spec.internalTrafficPolicy, "Local");
  assert.ok(all.some(({ kind, metadata }) => kind === "DaemonSet" && metadata.name === "host-proxy"));
});

test("images have a tag, and it is not latest", { skip }, () => {
  for (const { metadata, spec } of byKind("Deployment"))
    assert.match(spec.template.spec.containers[0].image, new RegExp(`^grpc-lb/${metadata.name}:\\d+\\.\\d+\\.\\d+$`));
});

test("the kubelet probes the server's admin port, and the server has time to drain", { skip }, () => {
  const { spec } = named("Deployment", "server");
  const [container] = spec.template.spec.containers;
  assert.deepEqual(container.startupProbe.httpGet, { path: "/healthz", port: "admin" });
  assert.deepEqual(container.livenessProbe.httpGet, { path: "/healthz", port: "admin" });
  assert.deepEqual(container.readinessProbe.httpGet, { path: "/readyz", port: "admin" });
  assert.ok(container.readinessProbe.timeoutSeconds >= 2);
  assert.equal(container.lifecycle, undefined);
  assert.ok(spec.template.spec.terminationGracePeriodSeconds >= 40);
});

test("server pods are spread over nodes, replaced one by one, and evicted one at a time", { skip }, () => {
  const { spec } = named("Deployment", "server");
  assert.equal(spec.replicas, 3);
  assert.deepEqual(spec.strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 });
  const [spread] = spec.template.spec.topologySpreadConstraints;
  assert.equal(spread.topologyKey, "kubernetes.io/hostname");
  assert.equal(spread.whenUnsatisfiable, "ScheduleAnyway");
  assert.equal(named("PodDisruptionBudget", "server").spec.maxUnavailable, 1);
});

test("the Service maps 80 to the server's HTTP and 30051 to its gRPC, each with its appProtocol", { skip }, () => {
  const { spec } = named("Service", "server");
  assert.deepEqual(spec.selector, { app: "server" });
  const ports = spec.ports.map(({ name, port, targetPort, appProtocol }: Record<string, unknown>) => ({
    name,
    port,
    targetPort,
    appProtocol,
  }));
  assert.deepEqual(ports, [
    { name: "http", port: 80, targetPort: "http", appProtocol: "http" },
    { name: "grpc", port: 30051, targetPort: "grpc", appProtocol: "grpc" },
  ]);
  const containerPorts = named("Deployment", "server").spec.template.spec.containers[0].ports;
  assert.deepEqual(
    containerPorts.map(({ name, containerPort }: Record<string, unknown>) => [name, containerPort]),
    [
      ["http", 8080],
      ["grpc", 30051],
      ["admin", 9464],
    ],
  );
});

test("each program has its admin port, and no Service of any strategy leads to it", { skip }, () => {
  for (const name of apps) {
    const [container] = named("Deployment", name).spec.template.spec.containers;
    assert.ok(
      container.env.some((each: object) => isDeepStrictEqual(each, { name: "ADMIN_PORT", value: "9464" })),
      name,
    );
    assert.ok(
      container.ports.some((port: object) => isDeepStrictEqual(port, { name: "admin", containerPort: 9464 })),
      name,
    );
  }
  for (const [strategy, all] of everything) {
    const services = all.filter(({ kind }) => kind === "Service");
    const ports = services.flatMap(({ spec }) => spec.ports as { targetPort: number | string }[]);
    for (const { targetPort } of ports) assert.ok(targetPort !== "admin" && targetPort !== 9464, strategy);
  }
});

test("client-grpc has its pod and zone for the policies, and its policy in a variable that POLICY overrides", {
  skip,
}, () => {
  type Variable = { name: string; value?: string; valueFrom?: { fieldRef: { fieldPath: string } } };
  const containerOf = (objects: ReturnType<typeof render>) =>
    objects.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "client-grpc").spec.template.spec
      .containers[0];
  const fields = (env: readonly Variable[]) =>
    env.map(({ name, value, valueFrom }) => [name, value ?? valueFrom?.fieldRef.fieldPath]);
  const own = [
    ["POD_NAME", "metadata.name"],
    ["POD_UID", "metadata.uid"],
    ["ZONE", "metadata.labels['topology.kubernetes.io/zone']"],
    ["ADMIN_PORT", "9464"],
  ];
  assert.deepEqual(fields(containerOf(objects).env), own);
  assert.deepEqual(fields(containerOf(render("overlays/resolver")).env), own);
  const headless = containerOf(render("overlays/headless-dns"));
  assert.deepEqual(fields(headless.env), [...own, ["POLICY", "round_robin"]]);
  assert.deepEqual(headless.args, ["--target=dns:///server-headless:30051"]);
});

test("each replica of a client of xDS has the name of its pod for the control plane", { skip }, () => {
  type Variable = { name: string; value?: string; valueFrom?: { fieldRef: { fieldPath: string } } };
  const containerOf = (strategy: string, name: string) =>
    render(`overlays/${strategy}`).find(({ kind, metadata }) => kind === "Deployment" && metadata.name === name).spec
      .template.spec.containers[0];
  const client = containerOf("xds", "client-grpc");
  const names = client.env.map(({ name }: Variable) => name);
  const { value } = client.env.find(({ name }: Variable) => name === "GRPC_XDS_BOOTSTRAP_CONFIG");
  assert.equal(JSON.parse(value).node.id, "$(POD_NAME)");
  assert.ok(
    names.indexOf("POD_NAME") < names.indexOf("GRPC_XDS_BOOTSTRAP_CONFIG"),
    "what is expanded is defined above",
  );
  const envoy = containerOf("envoy-xds", "envoy");
  // Envoy does not start with --service-node=….
  assert.deepEqual(envoy.command.slice(-2), ["--service-node", "$(POD_NAME)"]);
  assert.equal(envoy.env[0].valueFrom.fieldRef.fieldPath, "metadata.name");
});

test("who watches the pods, the resolver or the control plane, may read slices and Services, and change nothing", {
  skip,
}, () => {
  for (const [strategy, name] of [
    ["resolver", "client-grpc"],
    ["lookaside", "control-plane"],
  ] as const) {
    const overlay = render(`overlays/${strategy}`);
    const { rules } = overlay.find(({ kind }) => kind === "Role");
    const verbs = ["get", "list", "watch"];
    assert.deepEqual(rules, [
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs },
      { apiGroups: [""], resources: ["services"], verbs },
    ]);
    const { roleRef, subjects } = overlay.find(({ kind }) => kind === "RoleBinding");
    assert.deepEqual([roleRef.kind, roleRef.name], ["Role", name]);
    assert.deepEqual(subjects, [{ kind: "ServiceAccount", name }]);
  }
});

test("the live page's Role allows reading, and with actions what its buttons do to the deployed objects", {
  skip,
}, () => {
  const rulesOf = (folder: string) => render(folder).find(({ kind }) => kind === "Role").rules;
  const verbs = ["get", "list", "watch"];
  const reading = [
    { apiGroups: [""], resources: ["pods"], verbs },
    { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs },
  ];
  assert.deepEqual(rulesOf("live/read-only"), reading);
  assert.deepEqual(rulesOf("live/actions"), [
    ...reading,
    { apiGroups: [""], resources: ["pods"], verbs: ["delete"] },
    { apiGroups: ["apps"], resources: ["deployments/scale"], resourceNames: ["server"], verbs: ["get", "patch"] },
    {
      apiGroups: ["apps"],
      resources: ["deployments"],
      resourceNames: ["server", "client-http", "client-grpc"],
      verbs: ["patch"],
    },
  ]);
});

test("each object of a strategy has the label of a step of kube-deploy", { skip }, () => {
  const parts = ["registry", "proxy", "control-plane"];
  for (const strategy of readdirSync(join(here, "overlays"))) {
    for (const { kind, metadata } of render(`overlays/${strategy}`)) {
      const { app, "app.kubernetes.io/component": part } = metadata.labels;
      assert.ok(apps.includes(app) || parts.includes(part), `${strategy}: ${kind} ${metadata.name}`);
    }
  }
});

test("each object that a component adds has its name in a label", { skip }, () => {
  const before = new Set(everything.filter(([name]) => !name.includes(" with ")).flatMap(([, all]) => all.map(nameOf)));
  for (const [strategy, all] of everything.filter(([name]) => name.includes(" with "))) {
    for (const object of all.filter((each) => !before.has(nameOf(each))))
      assert.match(strategy, new RegExp(`[ ,]${object.metadata.labels["grpc-lb.dev/component"]}(,|$)`), nameOf(object));
  }
});

test("a client asks DNS again before its call's time-out of 5 s", { skip }, () => {
  for (const client of ["client-http", "client-grpc"]) {
    const { options } = named("Deployment", client).spec.template.spec.dnsConfig;
    assert.deepEqual(options[0], { name: "timeout", value: "1" }, client);
  }
});

test("an autoscaler owns the number of pods", { skip }, () => {
  const all = everything.find(([name]) => /[ ,]hpa-cpu(,|$)/.test(name))?.[1] ?? [];
  const find = (kind: string) => all.find((object) => object.kind === kind && object.metadata.name === "server");
  assert.equal(find("Deployment").spec.replicas, undefined);
  assert.deepEqual(find("HorizontalPodAutoscaler").spec.scaleTargetRef, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    name: "server",
  });
});

test("with TLS the clients verify one name whatever they call", { skip }, () => {
  const [, all = []] = everything.find(([name]) => /[ ,]mtls(,|$)/.test(name)) ?? [];
  const containerOf = (name: string) =>
    all.find((object) => object.kind === "Deployment" && object.metadata.name === name).spec.template.spec
      .containers[0];
  for (const client of ["client-http", "client-grpc"]) {
    const { env } = containerOf(client);
    const value = (variable: string) => env.find(({ name }: { name: string }) => name === variable)?.value;
    assert.deepEqual([value("TLS"), value("SERVER_NAME")], ["true", "server"]);
  }
});

test("with tokens only service accounts of the server's namespace may call", { skip }, () => {
  const [, all = []] = everything.find(([name]) => /[ ,]jwt(,|$)/.test(name)) ?? [];
  const server = all.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "server");
  const env: { name: string; value?: string }[] = server.spec.template.spec.containers[0].env;
  const at = env.findIndex(({ name }) => name === "AUTH_SUBJECTS");
  assert.equal(env[at]?.value, "system:serviceaccount:$(POD_NAMESPACE):*");
  const namespaceAt = env.findIndex(({ name }) => name === "POD_NAMESPACE");
  assert.ok(namespaceAt >= 0 && namespaceAt < at, "the kubelet expands only variables that stand before");
});

test("each app can be applied on its own", { skip }, () => {
  const kinds = (folder: string) =>
    render(`base/${folder}`)
      .map(({ kind }) => kind)
      .sort();
  assert.deepEqual(kinds("server"), ["Deployment", "PodDisruptionBudget", "Service"]);
  assert.deepEqual(kinds("client-http"), ["Deployment"]);
  assert.deepEqual(kinds("client-grpc"), ["Deployment"]);
});

test("the Dockerfile has no RUN, starts node directly, and needs no BuildKit", () => {
  const lines = readFileSync(join(here, "Dockerfile"), "utf8").split("\n");
  const instructions = lines.filter((line) => /^[A-Z]+ /.test(line));
  assert.deepEqual(
    instructions.filter((line) => /^RUN |<<|--mount|--chmod|:latest/.test(line)),
    [],
  );
  assert.ok(instructions.includes('ENTRYPOINT ["node", "/app/dist/app/main.cjs"]'));
  assert.ok(instructions.includes("USER 65532:65532"));
});

/** Every component, in as few combinations as possible. */
function combinations() {
  const found: { readonly strategy: "resolver" | "etcd"; readonly set: Component[] }[] = [];
  for (const component of components) {
    const existing = found.find(({ strategy, set }) => whyNotCombined([...set, component], strategy) === null);
    const strategy = whyNotCombined([component], "resolver") === null ? "resolver" : "etcd";
    if (existing === undefined) found.push({ strategy, set: [component] });
    else existing.set.push(component);
  }
  return found;
}

// biome-ignore lint/suspicious/noExplicitAny: objects of the API
const templateOf = (spec: any) => spec?.template ?? spec?.jobTemplate?.spec.template;
const nameOf = ({ kind, metadata }: { kind: string; metadata: { name: string } }) => `${kind} ${metadata.name}`;

/** Renders a strategy's manifests with components. */
function renderWith(manifests: string, set: readonly Component[]) {
  const folder = writeKustomization(`test-${set.join("-")}`, { manifests, components: set });
  try {
    return render(relative(here, folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: objects of the API
function render(folder: string): any[] {
  const yaml = execFileSync("kubectl", ["kustomize", join(here, folder)]);
  // kubectl parses the YAML; with --local it needs no server.
  const args = ["label", "--local", "-f", "-", "read=yes", "-o", 'jsonpath={@}{"\\n"}'];
  const json = execFileSync("kubectl", args, { input: yaml, encoding: "utf8" });
  return json
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}
