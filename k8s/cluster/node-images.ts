import { type BuiltImages, namesOf } from "../image/built.ts";
import { appNames } from "../image/tag.ts";
import type { Kubectl } from "./kubectl.ts";

/** A node of the API, as far as it is of use here. */
export interface ApiNode {
  readonly status?: { readonly images?: readonly { readonly names?: readonly string[] | null }[] };
}

/**
 * Whether every node says that it has the images that were built last, each under both its names; no when the nodes may not be
 * seen. A node tells of an image some seconds after it got it, and of 50 at most, so a no may be wrong: then they are loaded again.
 */
export async function nodesHaveImages(kubectl: Kubectl, built: BuiltImages): Promise<boolean> {
  const { code, stdout } = await kubectl.try(["get", "nodes", "-o", "json"]);
  return code === 0 && haveImages(JSON.parse(stdout).items, built);
}

/** The same, for nodes that were asked already. */
export function haveImages(nodes: readonly ApiNode[], built: BuiltImages): boolean {
  const wanted = appNames.map((app) => Object.values<string>(namesOf(app, built)));
  return (
    nodes.length > 0 &&
    nodes.every(({ status }) =>
      wanted.every((refs) =>
        // One image with both names: the version's name may still be that of an older one.
        status?.images?.some(({ names }) => refs.every((ref) => names?.some((name) => isName(name, ref)))),
      ),
    )
  );
}

/** Whether a node says that it has the image. */
export function hasImage({ status }: ApiNode, image: string): boolean {
  return status?.images?.some(({ names }) => names?.some((name) => isName(name, image))) ?? false;
}

/** Nodes write names out: `docker.io/grpc-lb/server:0.1.0`. */
const isName = (name: string, ref: string) => name === ref || name.endsWith(`/${ref}`);
