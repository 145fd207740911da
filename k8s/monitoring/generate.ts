/** Writes the PrometheusRule from the rules of the component `monitoring`. */
import { writeFileSync } from "node:fs";
import { createPrometheusRule, prometheusRuleFile } from "./prometheus-rule.ts";

writeFileSync(prometheusRuleFile, createPrometheusRule());
