import { readFileSync } from "node:fs";
import { join } from "node:path";

const components = join(import.meta.dirname, "../components");

/** Where the PrometheusRule is. */
export const prometheusRuleFile = join(components, "monitoring-operator/prometheus-rule.yaml");

const head = `# Written by \`node k8s/monitoring/generate.ts\` from components/monitoring/rules.yaml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: grpc-lb
  labels:
    app.kubernetes.io/component: monitoring
    app.kubernetes.io/part-of: grpc-lb
    grpc-lb.dev/component: monitoring-operator
spec:
`;

/** The rules of Prometheus's own file as an object of the Prometheus operator, whose `spec` has the same form. */
export function createPrometheusRule(): string {
  const lines = readFileSync(join(components, "monitoring/rules.yaml"), "utf8").trimEnd().split("\n");
  const rules = lines.slice(lines.indexOf("groups:"));
  return `${head}${rules.map((line) => (line === "" ? "" : `  ${line}`)).join("\n")}\n`;
}
