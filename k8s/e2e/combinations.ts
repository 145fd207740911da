import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Component, componentPatches, components, whyNotCombined } from "../cluster/components.ts";
import type { Kubectl } from "../cluster/kubectl.ts";
import { builtImagesOf, writeKustomization } from "../cluster/kustomization.ts";
import { manifestsOf, type Strategy } from "../cluster/strategy.ts";
import { runCommand } from "../command.ts";
import type { BuiltImages } from "../image/built.ts";
import { root } from "../image/tag.ts";

/** A strategy with components that can be deployed with it. */
export interface Combination {
  readonly strategy: Strategy;
  readonly set: readonly Component[];
}

/** Every set of components that can be deployed with the strategy, the empty one too. */
export function combinationsOf(strategy: Strategy): readonly Combination[] {
  const sets: (readonly Component[])[] = [[]];
  // What a component requires stands before it.
  for (const component of components) {
    const larger = sets.map((set) => [...set, component]);
    sets.push(...larger.filter((set) => whyNotCombined(set, strategy) === null));
  }
  return sets.map((set) => ({ strategy, set }));
}

/** Of these, the strategy alone, with each component alone, and the sets that nothing can be added to. */
export function singlesAndLargest(all: readonly Combination[]): readonly Combination[] {
  const isPartOf = (set: readonly Component[], other: readonly Component[]) =>
    other.length === set.length + 1 && set.every((component) => other.includes(component));
  return all.filter(({ set }) => set.length <= 1 || !all.some((other) => isPartOf(set, other.set)));
}

/** Describes a combination as the variables of kube-deploy. */
export const describeCombination = ({ strategy, set }: Combination) =>
  `STRATEGY=${strategy} COMPONENTS=${set.join(",")}`;

/**
 * Renders combinations as kube-deploy does, two at a time, and returns each different object once, as YAML, with the first combination that
 * has it.
 */
export async function renderCombinations(
  kubectl: Kubectl,
  built: BuiltImages,
  combinations: readonly Combination[],
): Promise<Map<string, Combination>> {
  const objects = new Map<string, Combination>();
  const cluster = rememberAnswers(kubectl);
  const folder = `deploy/${kubectl.namespace}-combinations`;
  const queue = [...combinations.entries()];
  const work = async () => {
    for (let next = queue.pop(); next; next = queue.pop()) {
      const [index, combination] = next;
      const { strategy, set } = combination;
      const patches = await componentPatches(cluster, set);
      const tree = { manifests: manifestsOf(strategy), components: set, images: builtImagesOf(built), patches };
      const yaml = await kubectl.run(["kustomize", writeKustomization(`${folder}/${index}`, tree)]);
      for (const object of yaml.split(/^---\n/m)) if (!objects.has(object)) objects.set(object, combination);
    }
  };
  try {
    const workers = [work(), work()];
    await Promise.all(workers).finally(() => Promise.allSettled(workers));
  } finally {
    rmSync(join(root, "k8s/dist", folder), { recursive: true });
  }
  return objects;
}

/** Nothing changes while combinations are rendered, so the cluster is asked once for what their patches need. */
function rememberAnswers(kubectl: Kubectl): Kubectl {
  const answers = new Map<string, ReturnType<Kubectl["try"]>>();
  return {
    ...kubectl,
    try: (args) => {
      const answer = answers.get(args.join(" ")) ?? kubectl.try(args);
      answers.set(args.join(" "), answer);
      return answer;
    },
  };
}

/** How many objects one kubectl applies. */
const chunkSize = 50;

/**
 * Applies objects with a dry run of the API server: it validates, defaults and admits each as if it were stored. Two at a time.
 *
 * @returns the reasons of those that it refuses or warns about, each with a combination that has the object
 */
export async function dryRun(
  kubectl: Kubectl,
  objects: ReadonlyMap<string, Combination>,
): Promise<{ readonly accepted: number; readonly problems: readonly string[] }> {
  const all = [...objects.keys()];
  const chunks = Array.from({ length: Math.ceil(all.length / chunkSize) }, (_, index) =>
    all.slice(index * chunkSize, (index + 1) * chunkSize),
  );
  const problems: string[] = [];
  let accepted = 0;
  const args = ["apply", "--dry-run=server", "--warnings-as-errors", "--output=name", "--filename=-"];
  const apply = (input: string) => runCommand("kubectl", [...kubectl.where, ...args], { input, limitMs: 120_000 });
  const work = async () => {
    for (let chunk = chunks.pop(); chunk; chunk = chunks.pop()) {
      const { code, stdout } = await apply(chunk.join("---\n"));
      accepted += stdout.split("\n").filter(Boolean).length;
      if (code === 0) continue;
      for (const object of chunk) {
        const { code, stderr } = await apply(object);
        const combination = objects.get(object);
        if (code !== 0 && combination) problems.push(`${describeCombination(combination)}: ${stderr.trim()}`);
      }
    }
  };
  const workers = [work(), work()];
  await Promise.all(workers).finally(() => Promise.allSettled(workers));
  return { accepted, problems };
}
