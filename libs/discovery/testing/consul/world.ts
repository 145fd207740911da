import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConsulCredentials } from "../../src/consul/access.ts";
import { type ConsulSourceOptions, createConsulSource } from "../../src/consul/source.ts";
import type { Address, Source } from "../../src/snapshot.ts";
import type { SourceWorld, WorldInstance } from "../source-conformance.ts";
import { askAgent } from "./agent-api.ts";
import type { FakeConsulAgent } from "./fake-agent.ts";
import type { RealConsulAgent } from "./real-agent.ts";

/** Deadlines so short that whatever is to be noticed is noticed within seconds. */
export const hasty = { waitMs: 300, answerTimeoutMs: 1_000, doubtMs: 1_500 } as const;

/** An agent, fake or real, and what can be done to it. */
export interface ConsulWorld extends SourceWorld {
  readonly agent: Address;
  /** With all rights. */
  readonly credentials: ConsulCredentials;
  createSource(service: string, options?: Partial<ConsulSourceOptions>): Source;
  readonly outage: NonNullable<SourceWorld["outage"]>;
  readonly freeze: NonNullable<SourceWorld["freeze"]>;
  readonly restartEmpty: NonNullable<SourceWorld["restartEmpty"]>;
  /** Credentials that are wrong, and what makes them right. */
  outsider(): Promise<{ readonly credentials: ConsulCredentials; admit(): Promise<void> }>;
}

/** What is to be done after the test. */
type OnEnd = (end: () => Promise<void>) => void;

/** What is common to the worlds of all agents, with a token where the agent wants one. */
function worldOf(agent: { readonly address: Address; readonly token?: string | undefined }) {
  const { token } = agent;
  const idOf = (service: string, { host, port }: Address) => `${service}-${host}-${port}`;
  const credentials = token === undefined ? {} : { token };
  return {
    agent: agent.address,
    credentials,
    createSource: (service: string, options: Partial<ConsulSourceOptions> = {}) =>
      createConsulSource({ agent: agent.address, service, credentials, ...hasty, ...options }),
    put: async (service: string, { address, weight }: WorldInstance) => {
      const Weights = weight === undefined ? {} : { Weights: { Passing: weight, Warning: 1 } };
      const body = { ID: idOf(service, address), Name: service, Address: address.host, Port: address.port, ...Weights };
      await askAgent(agent.address, "PUT", "/v1/agent/service/register", { token, body });
    },
    remove: async (service: string, address: Address) => {
      await askAgent(agent.address, "PUT", `/v1/agent/service/deregister/${idOf(service, address)}`, { token });
    },
    hasWeights: true,
  } satisfies Partial<ConsulWorld>;
}

/** Credentials that are wrong until `admit`. */
async function outsider(right: string, onEnd: OnEnd) {
  const directory = await mkdtemp(join(tmpdir(), "consul-token-"));
  onEnd(() => rm(directory, { recursive: true }));
  const tokenFile = join(directory, "token");
  await writeFile(tokenFile, "nonsense\n");
  return { credentials: { tokenFile }, admit: () => writeFile(tokenFile, `${right}\n`) };
}

/** The fake as a world of the behaviours that hold on every agent. */
export function fakeConsulWorld(agent: FakeConsulAgent, onEnd: OnEnd): ConsulWorld {
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

/** A real agent as such a world; it is to have ACLs. */
export function realConsulWorld(agent: RealConsulAgent, onEnd: OnEnd): ConsulWorld {
  const world = worldOf(agent);
  const { token = "" } = agent;
  const newcomer = () => outsider(token, onEnd);
  return {
    ...world,
    outage: { stop: () => agent.kill(), start: () => agent.start() },
    freeze: { begin: async () => agent.signal("SIGSTOP"), end: async () => agent.signal("SIGCONT") },
    restartEmpty: () => agent.restartEmpty(),
    /** A dev agent begins to count anew, so the index goes back when it had come far. */
    async outdate(meanwhile) {
      for (let n = 0; n < 50; n++) await askAgent(agent.address, "PUT", "/v1/kv/far", { token, body: { n } });
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
