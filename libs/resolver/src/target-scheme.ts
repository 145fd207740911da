import type { ChannelOptions } from "@grpc/grpc-js";
import type { Clock } from "@grpc-lb/core";
import { parseTarget, type Snapshot, type Source, type TargetOf, type TargetScheme } from "@grpc-lb/discovery";
import { DiscoveryResolver } from "./discovery-resolver.ts";
import { type GrpcUri, type ResolverListener, registerScheme, targetText } from "./grpc-js.ts";
import type { SharedSource } from "./shared-source.ts";
import { SharedSources } from "./shared-sources.ts";
import type { Warn } from "./warn.ts";

/** How the targets of a scheme are resolved. */
export interface TargetSchemeOptions<N extends TargetScheme, S extends Source> {
  readonly scheme: N;
  readonly clock: Clock;
  readonly warn: Warn;
  /** Targets of the same key share a source. */
  keyOf(target: TargetOf<N>): string;
  /** @param text the target as the first who wants it wrote it */
  create(target: TargetOf<N>, text: string): S;
  /** The name for `:authority` and for TLS: a valid host, perhaps with a number for a port. */
  authorityOf(target: TargetOf<N>): string;
  /** What a service config of the service's own is called in a warning. Default: `service config`. */
  readonly configName?: string;
  /** Why a snapshot could not have a service config, where that is worth a warning; undefined when it could. */
  whyNoServiceConfig?(source: S, snapshot: Snapshot): string | undefined;
  /** Called for each channel that is made. */
  onChannel?(text: string): void;
}

/** Makes grpc-js resolve the targets of a scheme, by a source that all channels of the same target share. */
export function registerTargetScheme<N extends TargetScheme, S extends Source>(
  options: TargetSchemeOptions<N, S>,
): SharedSources<S> {
  const { scheme, clock, warn, configName } = options;
  const sources = new SharedSources<S>({ clock });

  const share = (text: string): SharedSource<S> | { readonly error: string } => {
    try {
      const target = parseTarget(text, scheme);
      return sources.get(options.keyOf(target), () => options.create(target, text));
    } catch (error) {
      return { error: (error as Error).message };
    }
  };

  class Resolver extends DiscoveryResolver {
    constructor(uri: GrpcUri, listener: ResolverListener, channelOptions: ChannelOptions) {
      const target = targetText(uri);
      const rest = { target, listener, channelOptions, clock, warn, ...(configName && { configName }) };
      let source: S | undefined;
      super({
        ...rest,
        share() {
          const shared = share(target);
          source = "error" in shared ? undefined : shared.source;
          return shared;
        },
        whyNoServiceConfig: (snapshot) => source && options.whyNoServiceConfig?.(source, snapshot),
      });
      options.onChannel?.(target);
    }

    static getDefaultAuthority(uri: GrpcUri): string {
      return authorityOfText(targetText(uri), scheme, (target) => options.authorityOf(target));
    }
  }
  registerScheme(scheme, Resolver);
  return sources;
}

/** The authority of a target; one that is wrong gets one too, as its resolver itself tells each call what is wrong. */
export function authorityOfText<N extends TargetScheme>(
  text: string,
  scheme: N,
  authorityOf: (target: TargetOf<N>) => string,
): string {
  try {
    return authorityOf(parseTarget(text, scheme));
  } catch {
    return "invalid.target";
  }
}
