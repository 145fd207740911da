import { type Context, checkOptions, type OptionRules } from "@grpc-lb/core";
import type { ConsulCredentials } from "./consul/index.ts";
import { consulCredentialsRule } from "./consul/options.ts";
import { formatAddress } from "./core/address.ts";
import { loadOptional } from "./core/optional-package.ts";
import { identify } from "./core/shared-runs.ts";
import { defineSourceIn, type Source, type SourceDefinitionIn } from "./core/source.ts";
import type { EtcdCredentials } from "./etcd/index.ts";
import { etcdCredentialsRule } from "./etcd/options.ts";
import type { ApiAccess } from "./kubernetes/index.ts";
import { kubernetesOptions } from "./kubernetes/options.ts";
import { parseTarget, type Target, type TargetOf, type TargetScheme } from "./target.ts";
import type { XdsCredentials, XdsNode } from "./xds/index.ts";
import { xdsOptions } from "./xds/options.ts";

/** What sources need that is not in a target, by scheme; and options of all sources. */
export interface SourceOptions {
  readonly kubernetes?:
    | {
        /** How to reach the API server. Default: the kubeconfig's current context, else the pod's service account. */
        readonly access?: ApiAccess | undefined;
        /** Which address of a dual-stack pod comes first. Default: IPv4. */
        readonly preferredFamily?: "IPv4" | "IPv6" | undefined;
      }
    | undefined;
  readonly etcd?:
    | {
        /** Default: what the environment has, see `@grpc-lb/discovery/etcd`. */
        readonly credentials?: EtcdCredentials | undefined;
      }
    | undefined;
  readonly consul?:
    | {
        /** Default: what the environment has, see `@grpc-lb/discovery/consul`. */
        readonly credentials?: ConsulCredentials | undefined;
      }
    | undefined;
  readonly xds?:
    | {
        /** Default: what the environment has, see `@grpc-lb/discovery/xds`. */
        readonly credentials?: XdsCredentials | undefined;
        /** Who the client is to control planes. Default: what the environment has, else the host's name. */
        readonly node?: XdsNode | undefined;
      }
    | undefined;
  /** Whether an iterator of `watch` does not keep the process alive by itself; a subscription never does. Default: false. */
  readonly background?: boolean | undefined;
}

const optionRules: OptionRules = {
  kubernetes: { options: kubernetesOptions },
  etcd: { options: { credentials: etcdCredentialsRule } },
  consul: { options: { credentials: consulCredentialsRule } },
  xds: { options: xdsOptions },
  background: "boolean",
};

/**
 * Makes the source of a target. What its scheme needs is loaded when the source starts, so an unused scheme costs nothing.
 * Sources of equal targets and of the same option objects (access, credentials) share one run, but not with sources of
 * `createEtcdSource` and the like. All sources of a Kubernetes service share its watches, however they were created.
 *
 * ```ts
 * const source = createSource("kubernetes:///server.default:grpc");
 * for await (const { endpoints, error } of source.watch()) console.log(endpoints?.length, error?.message);
 * ```
 *
 * @param target a text as `parseTarget` reads it, or what it returned
 * @throws RangeError for a text that is not a valid target, TypeError for what is no target, and for options of another type or name
 */
export function createSource(target: string | Target, options: SourceOptions = {}): Source {
  return createSourceIn(target, options, {});
}

/** The same in any context. */
export function createSourceIn(target: string | Target, options: SourceOptions, context: Context): Source {
  checkOptions("createSource", options, optionRules);
  const isParsed = typeof target === "object" && target !== null && Object.hasOwn(loaders, target.t);
  const parsed = isParsed ? target : parseTarget(target as string);
  return defineSourceIn(
    {
      subject: describeTarget(parsed),
      target: typeof target === "string" ? target : undefined,
      key: createKey(parsed, options),
      background: options.background,
      async start(store, signal, given) {
        const definition = await load(parsed, options);
        if (signal.aborted) return;
        store.subject = definition.subject;
        await definition.start(store, signal, given);
      },
    },
    context,
  );
}

type Loaders = {
  readonly [S in TargetScheme]: (target: TargetOf<S>, options: SourceOptions) => Promise<SourceDefinitionIn>;
};

const loaders: Loaders = {
  async kubernetes({ service, namespace, port }, { kubernetes: { access, preferredFamily } = {} }) {
    const { defineKubernetesSource } = await import("./kubernetes/source.ts");
    return defineKubernetesSource({ service, ...defined({ namespace, port, access, preferredFamily }) });
  },
  async etcd({ members, t: _, ...target }, { etcd: { credentials } = {} }) {
    const { defineEtcdSource } = await loadOptional("@grpc-lb/discovery/etcd", () => import("./etcd/source.ts"));
    return defineEtcdSource({
      ...target,
      endpoints: members.map(formatAddress),
      ...defined({ credentials }),
    });
  },
  async consul({ t: _, ...target }, { consul: { credentials } = {} }) {
    const { defineConsulSource } = await import("./consul/source.ts");
    return defineConsulSource({ ...target, ...defined({ credentials }) });
  },
  async "dns-poll"({ name, port, t: _, ...target }) {
    const { defineDnsPollSource } = await import("./dns/source.ts");
    return defineDnsPollSource({ name, port, ...defined({ ...target }) });
  },
  async static({ endpoints }) {
    const { defineStaticSource } = await import("./static/source.ts");
    return defineStaticSource({ endpoints });
  },
  async file({ path }) {
    const { defineFileSource } = await import("./file/source.ts");
    return defineFileSource({ path });
  },
  async xds({ t: _, ...target }, { xds: { credentials, node } = {} }) {
    const { defineXdsSource } = await loadOptional("@grpc-lb/discovery/xds", () => import("./xds/source.ts"));
    return defineXdsSource({ ...target, ...defined({ credentials, node }) });
  },
};

function load<S extends TargetScheme>(target: TargetOf<S>, options: SourceOptions): Promise<SourceDefinitionIn> {
  const loader = loaders[target.t] as (of: TargetOf<S>, options: SourceOptions) => Promise<SourceDefinitionIn>;
  return loader(target, options);
}

/** For messages until the source is loaded, which names it more precisely. */
function describeTarget(target: Target): string {
  if ("service" in target) return `${target.t} service ${target.service}`;
  if (target.t === "static") return "static endpoints";
  return `${target.t} ${target.t === "file" ? target.path : target.name}`;
}

function createKey(target: Target, options: SourceOptions): string {
  const { kubernetes, etcd, consul, xds } = options;
  const own = { kubernetes: kubernetes?.access, etcd: etcd?.credentials, consul: consul?.credentials, xds };
  const object = target.t in own ? own[target.t as keyof typeof own] : undefined;
  const family = target.t === "kubernetes" ? (kubernetes?.preferredFamily ?? "IPv4") : "";
  return `target ${JSON.stringify(target)} ${family} ${object ? identify(object) : 0}`;
}

/** Leaves out what is undefined: the options of some sources may be absent, and not undefined. */
function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
