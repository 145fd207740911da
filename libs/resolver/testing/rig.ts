import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import {
  type ChannelCredentials,
  type ChannelOptions,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { assertNothingLeft, ManualClock, turn } from "@grpc-lb/core/testing";
import { parseTarget } from "@grpc-lb/discovery";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { type Resolvers, type ResolversContext, registerResolversIn } from "../src/resolvers.ts";
import { FakeSource } from "./fake-source.ts";
import { PodServer } from "./pod-server.ts";

export type PodClient = InstanceType<typeof PodServiceClient>;

/** Longer than the slowest machine needs: only a failing test waits this long. */
const deadlineMs = 20_000;

/** A context without a proxy, a sidecar or a source. */
export const bareContext: ResolversContext = {
  env: {},
  findSidecar: async () => undefined,
  createSource: (target) => assert.fail(`no source for ${target}`),
};

/**
 * `kubernetes:` targets over fake sources, one for each service and port; and servers and clients that end with the test,
 * after which nothing may be left.
 */
export class Rig {
  readonly clock = new ManualClock();
  readonly warnings: string[] = [];
  readonly resolvers: Resolvers;
  readonly #sources = new Map<string, FakeSource>();
  readonly #clients: PodClient[] = [];
  readonly #servers: PodServer[] = [];
  readonly #closers: (() => void)[] = [];

  constructor(t: TestContext) {
    this.resolvers = registerResolversIn(
      { warn: (message) => this.warnings.push(message) },
      {
        ...bareContext,
        clock: this.clock,
        createSource: (text) => {
          const { namespace = "default", service, port } = parseTarget(text, "kubernetes");
          return this.source(`${namespace}/${service}${port ? `:${port}` : ""}`);
        },
      },
    );
    t.after(() => this.close());
  }

  /** The source of `namespace/service[:port]`. */
  source(key = "default/server"): FakeSource {
    let source = this.#sources.get(key);
    if (!source) {
      source = new FakeSource(`service ${key.split(":")[0]}`);
      this.#sources.set(key, source);
    }
    return source;
  }

  get sources(): readonly FakeSource[] {
    return [...this.#sources.values()];
  }

  async start<const Names extends readonly string[]>(...names: Names): Promise<{ [N in keyof Names]: PodServer }> {
    const servers = await Promise.all(names.map((name) => PodServer.start(name)));
    this.adopt(...servers);
    return servers as { [N in keyof Names]: PodServer };
  }

  /** Ends these servers with the test. */
  adopt(...servers: readonly PodServer[]): void {
    this.#servers.push(...servers);
  }

  /** A client with a connection of its own to each server, whatever other tests have open. */
  client(
    options: ChannelOptions & { policy?: string | Record<string, unknown> } = {},
    target = "kubernetes:///server.default",
    security: ChannelCredentials = credentials.createInsecure(),
  ): PodClient {
    const { policy, ...rest } = options;
    const config = typeof policy === "string" ? { [policy]: {} } : policy;
    const client = new PodServiceClient(target, security, {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_http_proxy": 0,
      ...(config && { "grpc.service_config": JSON.stringify({ loadBalancingConfig: [config] }) }),
      ...rest,
    });
    this.#clients.push(client);
    return client;
  }

  /** Calls `close` with the test's end, before the proof that nothing is left. */
  onClose(close: () => void): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const server of this.#servers) server.kill();
    for (const close of this.#closers) close();
    await settled();
    assert.equal(this.clock.sleeping, 0, "timers that are left");
    for (const { subject, openRuns } of this.sources) assert.equal(openRuns, 0, `open runs of ${subject}`);
    assert.deepEqual(this.resolvers.stats(), [], "targets in use");
    await assertNothingLeft();
  }
}

/** The name of the pod that answers. */
export function call(client: PodClient): Promise<string> {
  return new Promise((resolve, reject) => {
    client.getPod({}, new Metadata(), { deadline: Date.now() + deadlineMs }, (error, response) =>
      error ? reject(error) : resolve(response.pod?.name ?? ""),
    );
  });
}

/** How often each pod answers. */
export async function spread(client: PodClient, calls: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let n = 0; n < calls; n++) {
    const name = await call(client);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Resolves when every pod of these has answered: all connections are open. */
export async function untilSpread(client: PodClient, ...servers: readonly PodServer[]): Promise<void> {
  const missing = new Set(servers.map(({ name }) => name));
  await untilCall(
    client,
    (name) => missing.delete(name) && missing.size === 0,
    () => `an answer of ${[...missing]}`,
  );
}

/** Calls one time after the other until an answer satisfies `isLast`; fails after 20 s. */
export async function untilCall(
  client: PodClient,
  isLast: (name: string) => boolean,
  describe: () => string,
): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!isLast(await call(client))) {
    assert.ok(performance.now() < endMs, `${describe()}: not within ${deadlineMs} ms`);
  }
}

/** The message of a call that fails as UNAVAILABLE. */
export async function failure(client: PodClient): Promise<string> {
  const error: ServiceError = await call(client).then(
    (name) => assert.fail(`expected an error, got the pod "${name}"`),
    (reason) => reason,
  );
  assert.equal(status[error.code], "UNAVAILABLE", error.details);
  return error.details;
}

/** Resolves when what was set has reached its listeners. */
export const settled = turn;
