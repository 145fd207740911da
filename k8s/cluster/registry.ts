import { type Flag, textFlag } from "@grpc-lb/program";
import type { Strategy } from "./strategy.ts";

/** The registries that strategies deploy; the name is also that of the strategy and of the Deployment. */
export const registries = ["etcd", "consul"] as const;
export type Registry = (typeof registries)[number];

/** The official image in the manifests, without the tag, as in a kustomization. */
const imageInManifests: Readonly<Record<Registry, string>> = {
  etcd: "gcr.io/etcd-development/etcd",
  consul: "docker.io/hashicorp/consul",
};

/** An image name in docker's syntax, with or without a tag or a digest. */
const imagePattern =
  /^([a-z0-9]+(?:[.\-_/]+[a-z0-9]+|:\d{1,5}\/[a-z0-9]+)*)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/;

function imageFlag(registry: Registry): Flag<string> {
  return {
    ...textFlag({
      help: `image of the ${registry} that STRATEGY=${registry} runs`,
      default: "",
      defaultText: `${imageInManifests[registry]} as in the manifests`,
      metavar: "image",
    }),
    parse(text) {
      if (!imagePattern.test(text))
        throw new RangeError(`must be an image, such as mirror.example.com/${registry}:1.2.3, got "${text}"`);
      return text;
    },
  };
}

/** The flags ETCD_IMAGE and CONSUL_IMAGE of kube-deploy. */
export const registryFlags = { etcdImage: imageFlag("etcd"), consulImage: imageFlag("consul") };

/** The registry of a strategy, with the requested image or an empty text; null for a strategy without a registry. */
export function registryOf(
  strategy: Strategy,
  flags: { readonly etcdImage: string; readonly consulImage: string },
): { readonly name: Registry; readonly image: string } | null {
  const name = registries.find((each) => each === strategy);
  return name === undefined ? null : { name, image: name === "etcd" ? flags.etcdImage : flags.consulImage };
}

/** The kustomize `images` that replace the image in the manifests. */
export function registryImages({
  name,
  image,
}: {
  readonly name: Registry;
  readonly image: string;
}): readonly object[] {
  const [, newName, newTag, digest] = imagePattern.exec(image) ?? [];
  if (newName === undefined) return [];
  return [{ name: imageInManifests[name], newName, ...(newTag && { newTag }), ...(digest && { digest }) }];
}
