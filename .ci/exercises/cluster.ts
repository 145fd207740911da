/** The cluster that the exercises of the cluster track use: a namespace of their own, and the proof that nothing is left. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const limitMs = 120_000;

/** The current context, with a namespace of its own as the default, in a kubeconfig that only the exercises use. */
export class WorkshopCluster {
  readonly namespace = `workshop-${randomBytes(3).toString("hex")}`;
  readonly kubeconfig: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "grpc-lb-exercises-"));

  /** @throws Error if there is no context, or its cluster does not answer */
  constructor() {
    this.kubeconfig = join(this.#folder, "config");
    const view = kubectl(undefined, "config", "view", "--raw", "--minify", "--flatten");
    writeFileSync(this.kubeconfig, view, { mode: 0o600 });
    this.#kubectl("config", "set-context", "--current", `--namespace=${this.namespace}`);
    this.#kubectl("get", "--raw", "/readyz", "--request-timeout=10s");
  }

  /** What of `needs` the cluster lacks. */
  lacks(needs: readonly string[]): string[] {
    return needs.filter((need) => {
      const [object, namespace] = proofs[need] ?? [];
      if (object === undefined) throw new Error(`unknown need ${need}; known needs: ${Object.keys(proofs).join(", ")}`);
      return this.#kubectl("get", object, `--namespace=${namespace}`, "--ignore-not-found", "--output=name") === "";
    });
  }

  /**
   * Deletes the namespace if an exercise has left it, and looks for objects without a namespace that name it.
   *
   * @returns what was left
   */
  close(): string[] {
    const left: string[] = [];
    if (this.#kubectl("get", "namespace", this.namespace, "--ignore-not-found", "--output=name") !== "") {
      left.push(`namespace ${this.namespace}`);
      this.#kubectl("delete", "namespace", this.namespace, `--timeout=${limitMs / 1_000}s`);
    }
    const kinds = this.#kubectl("api-resources", "--namespaced=false", "--verbs=list", "--output=name").trim();
    const format = '--output=jsonpath={range .items[*]}{.kind}/{.metadata.name}{"\\t"}{@}{"\\n"}{end}';
    const objects = this.#kubectl("get", kinds.replaceAll("\n", ","), format).split("\n");
    left.push(...objects.filter((line) => line.includes(this.namespace)).map((line) => line.split("\t")[0] ?? ""));
    rmSync(this.#folder, { recursive: true });
    return left;
  }

  #kubectl(...args: readonly string[]): string {
    return kubectl(this.kubeconfig, ...args);
  }
}

/** What an exercise may need, and the object that shows it, with its namespace. */
const proofs: Readonly<Record<string, readonly [object: string, namespace: string]>> = {
  Istio: ["deployment/istiod", "istio-system"],
  "metrics-server": ["apiservice/v1beta1.metrics.k8s.io", "kube-system"],
};

function kubectl(kubeconfig: string | undefined, ...args: readonly string[]): string {
  const config = kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`];
  const { status, stdout, stderr, error } = spawnSync("kubectl", [...config, ...args], {
    encoding: "utf8",
    timeout: limitMs,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`kubectl ${args[0]}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}
