import type { NodeMatcher, StringMatcher } from "@grpc-lb/protos/envoy/type/matcher/v3";
import type { ClientNode } from "./client-node.ts";

/** Why matchers cannot be used; undefined when they can. */
export function problemOfMatchers(matchers: readonly NodeMatcher[]): string | undefined {
  for (const { nodeId, nodeMetadatas } of matchers) {
    if (nodeMetadatas.length > 0) return "node_matchers by metadata are not supported, only by node_id";
    if (nodeId?.matchPattern?.$case === "safeRegex") {
      return "node_matchers by regular expression are not supported; use exact, prefix, suffix or contains";
    }
  }
  return undefined;
}

/** Whether one of the matchers takes the node; without matchers each node is taken. */
export function matchesNode(matchers: readonly NodeMatcher[], { id }: ClientNode): boolean {
  return matchers.length === 0 || matchers.some(({ nodeId }) => !nodeId || matchesText(nodeId, id));
}

function matchesText({ matchPattern, ignoreCase }: StringMatcher, text: string): boolean {
  if (!matchPattern || matchPattern.$case === "safeRegex") return false;
  const [value, pattern] = ignoreCase
    ? [text.toLowerCase(), matchPattern.value.toLowerCase()]
    : [text, matchPattern.value];
  switch (matchPattern.$case) {
    case "exact":
      return value === pattern;
    case "prefix":
      return value.startsWith(pattern);
    case "suffix":
      return value.endsWith(pattern);
    case "contains":
      return value.includes(pattern);
  }
}
