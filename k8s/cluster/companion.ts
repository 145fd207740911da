import { type Flag, textFlag } from "@grpc-lb/program";
import type { Strategy } from "./strategy.ts";

/** The registries that strategies deploy; the name is also that of the strategy and of the Deployment. */
export const registries = ["etcd", "consul"] as const;
export type Registry = (typeof registries)[number];

/** The L7 proxies that strategies deploy; the name is also that of the strategy and of the workload. */
export const proxies = ["envoy", "nginx", "haproxy", "host-proxy"] as const;
export type Proxy = (typeof proxies)[number];

/** The programs that run in registries and proxies, each with the variable of its image. */
export const programs = ["etcd", "consul", "envoy", "nginx", "haproxy"] as const;
export type Program = (typeof programs)[number];

/** A workload that a strategy deploys beside server and clients. */
export interface Companion {
  readonly name: Registry | Proxy;
  /** The value of its objects' label `app.kubernetes.io/component`. */
  readonly component: "registry" | "proxy";
  readonly program: Program;
}

/** A companion's workload, as kubectl names it. */
export const workloadOf = (name: string) => (name === "host-proxy" ? `daemonset/${name}` : `deployment/${name}`);

/** The Makefile's variable for the image of a program. */
export const imageVariable = (program: Program) => `${program.toUpperCase()}_IMAGE`;

/** The image in the manifests, without the tag, as in a kustomization. */
const imageInManifests: Readonly<Record<Program, string>> = {
  etcd: "gcr.io/etcd-development/etcd",
  consul: "docker.io/hashicorp/consul",
  envoy: "docker.io/envoyproxy/envoy",
  nginx: "docker.io/library/nginx",
  haproxy: "docker.io/library/haproxy",
};

/** An image name in docker's syntax, with or without a tag or a digest. */
const imagePattern =
  /^([a-z0-9]+(?:[.\-_/]+[a-z0-9]+|:\d{1,5}\/[a-z0-9]+)*)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/;

function imageFlag(program: Program): Flag<string> {
  return {
    ...textFlag({
      help: `image of ${program} for the strategies that run it`,
      default: "",
      defaultText: `${imageInManifests[program]} as in the manifests`,
      metavar: "image",
    }),
    parse(text) {
      if (!imagePattern.test(text))
        throw new RangeError(`must be an image, such as mirror.example.com/${program}:1.2.3, got "${text}"`);
      return text;
    },
  };
}

/** The flags ETCD_IMAGE, CONSUL_IMAGE, ENVOY_IMAGE, NGINX_IMAGE and HAPROXY_IMAGE of kube-deploy. */
export const imageFlags = {
  etcdImage: imageFlag("etcd"),
  consulImage: imageFlag("consul"),
  envoyImage: imageFlag("envoy"),
  nginxImage: imageFlag("nginx"),
  haproxyImage: imageFlag("haproxy"),
};

/** The values of these flags. */
export type Images = Readonly<Record<keyof typeof imageFlags, string>>;

/** The companion of a strategy; null for a strategy without one. */
export function companionOf(strategy: Strategy): Companion | null {
  const registry = registries.find((each) => each === strategy);
  if (registry !== undefined) return { name: registry, component: "registry", program: registry };
  const proxy = proxies.find((each) => each === strategy);
  if (strategy === "envoy-xds") return { name: "envoy", component: "proxy", program: "envoy" };
  if (proxy === undefined) return null;
  return { name: proxy, component: "proxy", program: proxy === "host-proxy" ? "envoy" : proxy };
}

/** The kustomize `images` that replace the image of a companion in the manifests, if another one is requested. */
export function companionImages({ program }: Companion, images: Images): readonly object[] {
  const [, newName, newTag, digest] = imagePattern.exec(images[`${program}Image`]) ?? [];
  if (newName === undefined) return [];
  return [{ name: imageInManifests[program], newName, ...(newTag && { newTag }), ...(digest && { digest }) }];
}
