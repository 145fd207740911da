import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { messageOf } from "@grpc-lb/core";
import type { Kubectl } from "../cluster/kubectl.ts";
import { customKinds, resourceOf, servedResources } from "../cluster/objects.ts";
import { until } from "./until.ts";

/** A file of a Go module with the CustomResourceDefinition of a kind. */
interface Definition {
  readonly module: string;
  readonly file: string;
}

const prometheusOperator = "github.com/prometheus-operator/prometheus-operator@v0.84.0";
const keda = "github.com/kedacore/keda/v2@v2.17.2";
const certManager = "github.com/cert-manager/cert-manager@v1.18.2";

const definitions: Readonly<Record<string, Definition>> = {
  PodMonitor: {
    module: prometheusOperator,
    file: "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
  },
  PrometheusRule: {
    module: prometheusOperator,
    file: "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
  },
  ScaledObject: { module: keda, file: "config/crd/bases/keda.sh_scaledobjects.yaml" },
  Issuer: { module: certManager, file: "deploy/crds/crd-issuers.yaml" },
  Certificate: { module: certManager, file: "deploy/crds/crd-certificates.yaml" },
};

/**
 * Gives the cluster the kinds of operators that it lacks, without the operators: their definitions come from the Go modules of the operators, by
 * the proxy that Go is configured with.
 *
 * @returns what takes them away again; a text says why they cannot be had
 */
export async function installOperatorKinds(
  kubectl: Kubectl,
): Promise<{ readonly kinds: readonly string[]; stop(): Promise<void> } | string> {
  const served = await servedResources(kubectl);
  const resource = (kind: string) => resourceOf[kind] ?? kind;
  const kinds = [...customKinds.keys()].filter((kind) => !served.has(resource(kind)));
  const texts: string[] = [];
  try {
    for (const kind of kinds) texts.push(await readDefinition(definitions[kind] as Definition));
  } catch (error) {
    return messageOf(error).split("\n")[0] ?? "";
  }
  const names = kinds.map((kind) => `customresourcedefinition/${resource(kind)}`);
  if (kinds.length > 0) {
    await kubectl.run(["create", "-f", "-"], { input: texts.join("\n---\n") });
    await kubectl.run(["wait", "--for=condition=Established", ...names, "--timeout=60s"]);
    await until("the kinds of the operators", 60_000, async () => {
      const now = await servedResources(kubectl);
      const missing = kinds.filter((kind) => !now.has(resource(kind)));
      return missing.length === 0 ? { value: true } : { seen: `no ${missing.join(", ")}` };
    });
  }
  return {
    kinds,
    async stop() {
      if (kinds.length > 0) await kubectl.run(["delete", ...names, "--ignore-not-found", "--timeout=60s"]);
    },
  };
}

/** Without the labels that only cert-manager's Helm chart can fill. */
async function readDefinition({ module, file }: Definition): Promise<string> {
  const { stdout } = await promisify(execFile)("go", ["mod", "download", "-json", module], { timeout: 300_000 });
  return readFileSync(join(JSON.parse(stdout).Dir, file), "utf8").replace(/^ +\S+: '\{\{.*\n/gm, "");
}
