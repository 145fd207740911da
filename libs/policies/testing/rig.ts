import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type CallOptions, type ChannelOptions, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import type { PolicyJson } from "../src/grpc-js.ts";
import { Backend } from "./backend.ts";
import { type PublishOptions, TestTarget } from "./test-resolver.ts";

export { turn, until } from "@grpc-lb/core/testing";

export type PodClient = InstanceType<typeof PodServiceClient>;

/** Long enough for any machine: only a failing test waits that long. */
const deadlineMs = 20_000;

/** More than any policy needs to reach each of a few servers. */
const maxCalls = 10_000;

/** Servers, a target that resolves to them, and clients. It closes all of them after the test, and asserts that nothing is left open. */
export class Rig {
  readonly target: TestTarget;
  readonly #clients: PodClient[] = [];
  readonly #backends: Backend[] = [];

  constructor(t: TestContext) {
    this.target = new TestTarget(t.name.replace(/\W+/g, "-"));
    t.after(() => this.close());
  }

  /** Starts servers with these names. */
  async start<const Names extends readonly string[]>(...names: Names): Promise<{ [N in keyof Names]: Backend }> {
    const backends = await Promise.all(names.map((name) => Backend.start(name)));
    this.#backends.push(...backends);
    return backends as { [N in keyof Names]: Backend };
  }

  /** Starts a server on the port of one that has ended. */
  async restart({ name, port }: Backend): Promise<Backend> {
    const backend = await Backend.start(name, port);
    this.#backends.push(backend);
    return backend;
  }

  /** Resolves the target to these servers. */
  publish(backends: readonly Backend[], options: PublishOptions = {}): boolean[] {
    return this.target.publish(
      backends.map(({ endpoint }) => endpoint),
      options,
    );
  }

  /** Creates a client with its own connections. */
  client(policy: PolicyJson, options: ChannelOptions = {}, methodConfig: readonly object[] = []): PodClient {
    const client = new PodServiceClient(this.target.uri, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_http_proxy": 0,
      "grpc.service_config": JSON.stringify({ loadBalancingConfig: [policy], methodConfig }),
      ...options,
    });
    return this.own(client);
  }

  /** Closes a client of another target too, before the servers. @returns the client */
  own(client: PodClient): PodClient {
    this.#clients.push(client);
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const backend of this.#backends) backend.kill();
    this.target.close();
    await assertNothingLeft();
  }
}

/** Calls a server. @returns its name */
export function call(client: PodClient, options: CallOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    client.getPod({}, new Metadata(), { deadline: Date.now() + deadlineMs, ...options }, (error, response) =>
      error ? reject(error) : resolve(response.pod?.name ?? ""),
    );
  });
}

/** Resolves when each of these servers has responded: all connections are up. */
export async function untilAllAnswer(client: PodClient, ...backends: readonly Backend[]): Promise<void> {
  const missing = new Set(backends.map(({ name }) => name));
  for (let calls = 0; missing.size > 0; calls++) {
    assert.ok(calls < maxCalls, `no call of ${maxCalls} went to ${[...missing]}`);
    missing.delete(await call(client));
  }
}

/** The status and the message of a failing call: `UNAVAILABLE: the list is empty`. */
export async function failure(client: PodClient, options: CallOptions = {}): Promise<string> {
  const error: ServiceError = await call(client, options).then(
    (name) => assert.fail(`want an error, got a response of "${name}"`),
    (reason) => reason,
  );
  return `${status[error.code]}: ${error.details}`;
}
