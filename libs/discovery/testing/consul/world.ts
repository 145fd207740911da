import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConsulCredentials } from "../../src/consul/access.ts";
import { type ConsulSourceOptions, createConsulSource } from "../../src/consul/source.ts";
import type { Address } from "../../src/core/snapshot.ts";
import type { Source } from "../../src/core/source.ts";
import type { SourceWorld, WorldInstance } from "../source-conformance.ts";
import { FakeConsulAgent } from "./fake-agent.ts";
import { RealConsulAgent } from "./real-agent.ts";
import { requestAgent } from "./request-agent.ts";

/** Short deadlines, so that a source notices each fault within seconds. */
const deadlines = { waitMs: 300, answerTimeoutMs: 1_000, missingGraceMs: 1_500 } as const;

/** An agent, fake or real, and its faults. */
export interface ConsulWorld extends SourceWorld {
  readonly agent: Address;
  /** Credentials with all rights. */
  readonly credentials: ConsulCredentials;
  createSource(service: string, options?: Partial<ConsulSourceOptions>): Source;
  readonly outage: NonNullable<SourceWorld["outage"]>;
  readonly freeze: NonNullable<SourceWorld["freeze"]>;
  readonly restartEmpty: NonNullable<SourceWorld["restartEmpty"]>;
  /** Wrong credentials, and a way to make them right. */
  outsider(): Promise<{ readonly credentials: ConsulCredentials; admit(): Promise<void> }>;
}

/** Registers what runs after the test. */
type OnEnd = (end: () => Promise<void>) => void;

/** The part that both kinds of agents share, with a token where the agent requires one. */
function worldOf(agent: { readonly address: Address; readonly token?: string | undefined }) {
  const { token } = agent;
  const idOf = (service: string, { host, port }: Address) => `${service}-${host}-${port}`;
  const credentials = token === undefined ? {} : { token };
  return {
    agent: agent.address,
    credentials,
    createSource: (service: string, options: Partial<ConsulSourceOptions> = {}) =>
      createConsulSource({ agent: agent.address, service, credentials, ...deadlines, ...options }),
    put: async (service: string, { address, weight }: WorldInstance) => {
      const Weights = weight === undefined ? {} : { Weights: { Passing: weight, Warning: 1 } };
      const body = { ID: idOf(service, address), Name: service, Address: address.host, Port: address.port, ...Weights };
      await requestAgent(agent.address, "PUT", "/v1/agent/service/register", { token, body });
    },
    remove: async (service: string, address: Address) => {
      await requestAgent(agent.address, "PUT", `/v1/agent/service/deregister/${idOf(service, address)}`, { token });
    },
    hasWeights: true,
  } satisfies Partial<ConsulWorld>;
}

/** Wrong credentials, until `admit`. */
async function outsider(right: string, onEnd: OnEnd) {
  const directory = await mkdtemp(join(tmpdir(), "consul-token-"));
  onEnd(() => rm(directory, { recursive: true }));
  const tokenFile = join(directory, "token");
  await writeFile(tokenFile, "nonsense\n");
  return { credentials: { tokenFile }, admit: () => writeFile(tokenFile, `${right}\n`) };
}

/** Runs a behaviour on its own fake agent, and closes the agent. */
export async function onFakeAgent(run: (world: ConsulWorld) => Promise<void>): Promise<void> {
  await onAgent(await FakeConsulAgent.start(), fakeConsulWorld, run);
}

/** Runs a behaviour on its own real agent with ACLs, and closes the agent. */
export async function onRealAgent(run: (world: ConsulWorld, agent: RealConsulAgent) => Promise<void>): Promise<void> {
  await onAgent(await RealConsulAgent.start({ hasAcls: true }), realConsulWorld, run);
}

async function onAgent<A extends { close(): Promise<void> }>(
  agent: A,
  worldOn: (agent: A, onEnd: OnEnd) => ConsulWorld,
  run: (world: ConsulWorld, agent: A) => Promise<void>,
): Promise<void> {
  const ends: (() => Promise<void>)[] = [];
  try {
    await run(
      worldOn(agent, (end) => void ends.push(end)),
      agent,
    );
  } finally {
    for (const end of ends) await end();
    await agent.close();
  }
}

function fakeConsulWorld(agent: FakeConsulAgent, onEnd: OnEnd): ConsulWorld {
  const world = worldOf(agent);
  const newcomer = async () => {
    agent.requireToken("right");
    onEnd(async () => agent.requireToken(undefined));
    return outsider("right", onEnd);
  };
  return {
    ...world,
    outage: { stop: () => agent.stop(), start: () => agent.start() },
    freeze: { begin: async () => agent.freeze(), end: async () => agent.thaw() },
    async restartEmpty() {
      await agent.stop();
      agent.forget();
      await agent.start();
    },
    async outdate(meanwhile) {
      await agent.stop();
      await agent.start();
      await meanwhile();
      agent.setIndex(5);
    },
    outsider: newcomer,
    async stranger(service) {
      const { credentials, admit } = await newcomer();
      return { source: world.createSource(service, { credentials }), admit };
    },
    untilLeft: () => agent.until(({ connections }) => connections === 0),
  };
}

function realConsulWorld(agent: RealConsulAgent, onEnd: OnEnd): ConsulWorld {
  const world = worldOf(agent);
  const { token = "" } = agent;
  const newcomer = () => outsider(token, onEnd);
  return {
    ...world,
    outage: { stop: () => agent.kill(), start: () => agent.start() },
    freeze: { begin: async () => agent.signal("SIGSTOP"), end: async () => agent.signal("SIGCONT") },
    restartEmpty: () => agent.restartEmpty(),
    /** A dev agent starts with a low index, so the index goes back after many writes. */
    async outdate(meanwhile) {
      for (let n = 0; n < 50; n++) await requestAgent(agent.address, "PUT", "/v1/kv/far", { token, body: { n } });
      await agent.kill();
      await agent.start();
      await meanwhile();
    },
    outsider: newcomer,
    async stranger(service) {
      const { credentials, admit } = await newcomer();
      return { source: world.createSource(service, { credentials }), admit };
    },
  };
}
