/** The cluster that the exercises of the cluster track use: a namespace of their own, and the proof that nothing is left. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../test-counts.ts";

const limitMs = 120_000;

/** The current context, with a namespace of its own as the default, in a kubeconfig that only the exercises use. */
export class WorkshopCluster {
  readonly namespace = `workshop-${randomBytes(3).toString("hex")}`;
  readonly #folder = mkdtempSync(join(tmpdir(), "grpc-lb-exercises-"));
  readonly #kubeconfig = join(this.#folder, "config");

  /** @throws Error if there is no context, or its cluster does not answer */
  constructor() {
    try {
      const view = kubectl(undefined, "config", "view", "--raw", "--minify", "--flatten");
      writeFileSync(this.#kubeconfig, view, { mode: 0o600 });
      this.#kubectl("config", "set-context", "--current", `--namespace=${this.namespace}`);
      this.#kubectl("get", "--raw", "/readyz", "--request-timeout=10s");
    } catch (error) {
      rmSync(this.#folder, { recursive: true });
      throw error;
    }
  }

  /** What make and kubectl need to use the namespace. */
  get env(): Readonly<Record<string, string>> {
    return { KUBECONFIG: this.#kubeconfig, NAMESPACE: this.namespace };
  }

  /** What of `needs` the cluster lacks. @throws Error for an unknown need */
  lacks(needs: readonly string[]): string[] {
    return needs.filter((need) => {
      const proof = proofs[need];
      if (proof === undefined) throw new Error(`unknown need ${need}; known needs: ${Object.keys(proofs).join(", ")}`);
      return !proof((...args) => this.#kubectl(...args));
    });
  }

  /**
   * Describes the namespace for the report of an exercise that failed: its pods with their nodes, its Services, its last events, and
   * the last lines of the clients. Never throws: what cannot be read says why.
   */
  describe(): string {
    return questions
      .map((args) => {
        try {
          return `$ kubectl ${args.join(" ")}\n${this.#kubectl(...args, "--request-timeout=10s").trimEnd()}`;
        } catch (error) {
          return error instanceof Error ? error.message : String(error);
        }
      })
      .join("\n");
  }

  /**
   * Cleans up as the workshop does, by `make kube-delete`, and then looks for what is left: the namespace, and objects without a
   * namespace that name it. A namespace that is left is deleted. Never throws, so that the results of the exercises are not lost.
   *
   * @returns what was left, and why it is not known
   */
  close(): string[] {
    const left: string[] = [];
    try {
      this.#findLeft(left);
    } catch (error) {
      left.push(`${error instanceof Error ? error.message : error}: maybe namespace ${this.namespace}`);
    }
    rmSync(this.#folder, { recursive: true, force: true });
    return left;
  }

  /** @throws Error when kubectl fails */
  #findLeft(left: string[]): void {
    const cleaned = spawnSync("make", ["kube-delete"], {
      cwd: root,
      env: { ...process.env, ...this.env },
      encoding: "utf8",
      timeout: limitMs,
    });
    if (cleaned.status !== 0) left.push(`make kube-delete failed: ${cleaned.stderr.trim()}: what it deletes`);
    if (this.#kubectl("get", "namespace", this.namespace, "--ignore-not-found", "--output=name") !== "") {
      left.push(`namespace ${this.namespace}`);
      this.#kubectl("delete", "namespace", this.namespace, `--timeout=${limitMs / 1_000}s`);
    }
    const kinds = this.#kubectl("api-resources", "--namespaced=false", "--verbs=list", "--output=name").trim();
    const format = '--output=jsonpath={range .items[*]}{.kind}/{.metadata.name}{"\\t"}{@}{"\\n"}{end}';
    const objects = this.#kubectl("get", kinds.replaceAll("\n", ","), format).split("\n");
    left.push(...objects.filter((line) => line.includes(this.namespace)).map((line) => line.split("\t")[0] ?? ""));
  }

  #kubectl(...args: readonly string[]): string {
    return kubectl(this.#kubeconfig, ...args);
  }
}

/** What helps to understand why an exercise failed. */
const questions: readonly (readonly string[])[] = [
  ["get", "pods", "--output=wide"],
  ["get", "services,endpointslices"],
  ["get", "events", "--sort-by=.lastTimestamp"],
  ["logs", "--selector=app in (client-grpc,client-http)", "--tail=10", "--prefix", "--timestamps"],
];

/** What an exercise may need, and how it shows. */
const proofs: Readonly<Record<string, (kubectl: (...args: readonly string[]) => string) => boolean>> = {
  Istio: (kubectl) => kubectl("get", "deployments", "--all-namespaces", "-l", "app=istiod", "--output=name") !== "",
  "metrics-server": (kubectl) =>
    kubectl("get", "apiservice/v1beta1.metrics.k8s.io", "--ignore-not-found", "--output=name") !== "",
  // A cluster without a network cannot pull the official one.
  "an etcd image": (kubectl) =>
    Boolean(process.env.ETCD_IMAGE) ||
    kubectl("config", "view", "--minify", "--output=jsonpath={..cluster}") !== "sandbox",
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
