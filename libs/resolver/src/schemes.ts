import { basename, extname } from "node:path";
import type { Clock } from "@grpc-lb/core";
import { formatAddress, type TargetOf, type TargetScheme } from "@grpc-lb/discovery";
import type { ConsulCredentials } from "@grpc-lb/discovery/consul";
import type { EtcdCredentials } from "@grpc-lb/discovery/etcd";
import { toAuthority } from "./authority.ts";
import type { CountedSource } from "./lazy-source.ts";

/** What sources need that does not stand in a target. */
export interface SourceSurroundings {
  readonly clock: Clock;
  readonly etcdCredentials: EtcdCredentials | undefined;
  readonly consulCredentials: ConsulCredentials | undefined;
}

/** How a scheme's targets become sources. */
export interface SchemeEntry<N extends TargetScheme> {
  /** Loads what the source is made of, and makes it. */
  load(target: TargetOf<N>, surroundings: SourceSurroundings): Promise<CountedSource>;
  authorityOf(target: TargetOf<N>): string;
}

/** grpc-js keeps the process alive for the calls that wait. */
const background = true;

/** All schemes but kubernetes, which has options of its own. */
export const schemes: { readonly [N in Exclude<TargetScheme, "kubernetes">]: SchemeEntry<N> } = {
  etcd: {
    async load({ members, service, layout }, { clock, etcdCredentials: credentials }) {
      const { createEtcdSource } = await import("@grpc-lb/discovery/etcd");
      const endpoints = members.map(formatAddress);
      return createEtcdSource({ endpoints, service, layout, clock, background, ...(credentials && { credentials }) });
    },
    authorityOf: ({ service }) => toAuthority(service, "etcd"),
  },
  consul: {
    async load({ t: _, ...target }, { clock, consulCredentials: credentials }) {
      const { createConsulSource } = await import("@grpc-lb/discovery/consul");
      return createConsulSource({ ...target, clock, background, ...(credentials && { credentials }) });
    },
    authorityOf: ({ service }) => toAuthority(service, "consul"),
  },
  "dns-poll": {
    async load({ name, port, refreshMs, server }, { clock }) {
      const { createDnsPollSource } = await import("@grpc-lb/discovery/dns");
      const given = { ...(refreshMs !== undefined && { refreshMs }), ...(server && { server }) };
      return createDnsPollSource({ name, port, clock, background, ...given });
    },
    authorityOf: ({ name, port }) => {
      const host = name.replace(/\.$/, "");
      return typeof port === "number" ? `${host}:${port}` : host; // a port's name is no authority
    },
  },
  static: {
    async load({ endpoints }, { clock }) {
      const { createStaticSource } = await import("@grpc-lb/discovery/static");
      return createStaticSource({ endpoints, clock, background });
    },
    authorityOf: ({ endpoints: [first] }) => (first ? formatAddress(first.address) : "static"),
  },
  file: {
    async load({ path }, { clock }) {
      const { createFileSource } = await import("@grpc-lb/discovery/file");
      return createFileSource({ path, clock, background });
    },
    authorityOf: ({ path }) => toAuthority(basename(path, extname(path)), "file"),
  },
};
