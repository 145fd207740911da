import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConsulSourceOptions, createConsulSource } from "../../src/consul/source.ts";
import type { Address } from "../../src/snapshot.ts";
import type { SourceWorld } from "../source-conformance.ts";
import { askAgent } from "./agent-api.ts";
import type { FakeConsulAgent } from "./fake-agent.ts";
import type { RealConsulAgent } from "./real-agent.ts";

/** Deadlines so short that whatever is to be noticed is noticed within seconds. */
export const hasty = { waitMs: 1_000, answerTimeoutMs: 1_000, doubtMs: 2_000 } as const;

/** What is common to the worlds of all agents, with a token where the agent wants one. */
function worldOf(agent: { readonly address: Address; readonly token?: string | undefined }) {
  const { token } = agent;
  const idOf = (service: string, { host, port }: Address) => `${service}-${host}-${port}`;
  const credentials = token === undefined ? {} : { token };
  return {
    createSource: (service: string, options: Partial<ConsulSourceOptions> = {}) =>
      createConsulSource({ agent: agent.address, service, credentials, ...hasty, ...options }),
    put: async (service, { address, weight }) => {
      const Weights = weight === undefined ? {} : { Weights: { Passing: weight, Warning: 1 } };
      const body = { ID: idOf(service, address), Name: service, Address: address.host, Port: address.port, ...Weights };
      await askAgent(agent.address, "PUT", "/v1/agent/service/register", { token, body });
    },
    remove: async (service, address) => {
      await askAgent(agent.address, "PUT", `/v1/agent/service/deregister/${idOf(service, address)}`, { token });
    },
    hasWeights: true,
  } satisfies SourceWorld;
}

/** @param right what the agent knows for a token that may read */
function strangerOf(world: ReturnType<typeof worldOf>, right: string, onEnd: (end: () => Promise<void>) => void) {
  return async (service: string) => {
    const directory = await mkdtemp(join(tmpdir(), "consul-token-"));
    onEnd(() => rm(directory, { recursive: true }));
    const tokenFile = join(directory, "token");
    await writeFile(tokenFile, "nonsense\n");
    return {
      source: world.createSource(service, { credentials: { tokenFile } }),
      admit: () => writeFile(tokenFile, `${right}\n`),
    };
  };
}

/** The fake as a world of the behaviours that hold on every source. */
export function fakeConsulWorld(agent: FakeConsulAgent, onEnd: (end: () => Promise<void>) => void): SourceWorld {
  const world = worldOf(agent);
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
    async stranger(service) {
      agent.requireToken("right");
      onEnd(async () => agent.requireToken(undefined));
      return strangerOf(world, "right", onEnd)(service);
    },
    untilLeft: () => agent.until(({ connections }) => connections === 0),
  };
}

/** A real agent as such a world; who may read can be commanded where it has ACLs. */
export function realConsulWorld(agent: RealConsulAgent, onEnd: (end: () => Promise<void>) => void): SourceWorld {
  const world = worldOf(agent);
  const { token } = agent;
  return {
    ...world,
    outage: { stop: () => agent.kill(), start: () => agent.start() },
    freeze: { begin: async () => agent.signal("SIGSTOP"), end: async () => agent.signal("SIGCONT") },
    restartEmpty: () => agent.restartEmpty(),
    ...(token !== undefined && { stranger: strangerOf(world, token, onEnd) }),
  };
}
