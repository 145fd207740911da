import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BuiltImages } from "../image/built.ts";
import { appNames, imageName, root } from "../image/tag.ts";
import type { Component } from "./components.ts";

/** What a kustomization puts on top of a strategy's manifests. */
export interface Additions {
  /** The strategy's folder in k8s/. */
  readonly manifests: string;
  readonly components: readonly Component[];
  /** Entries of kustomize's `images`. */
  readonly images?: readonly object[];
  /** Entries of kustomize's `patches`; they are applied after the components. */
  readonly patches?: readonly object[];
}

/**
 * Writes a kustomization below k8s/dist, and returns its folder.
 *
 * @param folder in k8s/dist, one for each namespace, so that two deployments do not share one
 */
export function writeKustomization(folder: string, { manifests, components, images, patches }: Additions): string {
  const tree = join(root, "k8s/dist", folder);
  const k8s = "../".repeat(folder.split("/").length + 1);
  mkdirSync(tree, { recursive: true });
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [`${k8s}${manifests}`],
    components: components.map((name) => `${k8s}components/${name}`),
    images,
    patches,
  };
  writeFileSync(join(tree, "kustomization.yaml"), `${JSON.stringify(kustomization, null, 2)}\n`); // JSON is YAML
  return tree;
}

/** The images of the last build, as entries of kustomize's `images`. */
export function builtImagesOf(built: BuiltImages): readonly object[] {
  return appNames.map((app) => ({
    name: `grpc-lb/${app}`,
    newName: imageName(app, built),
    newTag: built.tags[app],
  }));
}
