import { type BuiltImages, namesOf } from "../image/built.ts";
import { appNames } from "../image/tag.ts";
import type { Kubectl } from "./kubectl.ts";

/** The fields of an API node that are used here. */
export interface ApiNode {
  readonly status?: { readonly images?: readonly { readonly names?: readonly string[] | null }[] };
}

/**
 * Whether every node reports the images of the last build, each under both its names; false if the nodes cannot be listed. A node
 * reports an image after some seconds, and 50 images at most, so false can be wrong; the images are then loaded again.
 */
export async function nodesHaveImages(kubectl: Kubectl, built: BuiltImages): Promise<boolean> {
  const { code, stdout } = await kubectl.try(["get", "nodes", "-o", "json"]);
  return code === 0 && haveImages(JSON.parse(stdout).items, built);
}

/** The same for nodes that were read before. */
export function haveImages(nodes: readonly ApiNode[], built: BuiltImages): boolean {
  const wanted = appNames.map((app) => Object.values<string>(namesOf(app, built)));
  return (
    nodes.length > 0 &&
    nodes.every(({ status }) =>
      wanted.every((refs) =>
        // One image with both names: the name by version may still belong to an older image.
        status?.images?.some(({ names }) => refs.every((ref) => names?.some((name) => isName(name, ref)))),
      ),
    )
  );
}

/** Whether a node reports the image. */
export function hasImage({ status }: ApiNode, image: string): boolean {
  return status?.images?.some(({ names }) => names?.some((name) => isName(name, image))) ?? false;
}

/** Nodes report full names: `docker.io/grpc-lb/server:0.1.0`. Another folder before it is another image. */
const isName = (name: string, ref: string) => name === ref || name === `docker.io/${ref}`;
