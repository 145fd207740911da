import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { closedPort } from "@grpc-lb/core/testing";
import { type RunningProgram, watchChild } from "@grpc-lb/program/testing";
import type { Address } from "../../src/core/snapshot.ts";
import { askAgent } from "./agent-api.ts";

/** Why there can be no real agent here; undefined when there can. */
export async function whyNoConsul(): Promise<string | undefined> {
  try {
    await promisify(execFile)("consul", ["version"]);
    return undefined;
  } catch {
    return "consul is not on the PATH";
  }
}

/**
 * A real Consul agent that is its own server, `consul agent -dev`, on free ports of 127.0.0.1. What is registered with it stands
 * in a directory of its own and so outlives its end, unless it is to come back empty. `close()` leaves nothing.
 */
export class RealConsulAgent {
  /** With ACLs, the token that may do everything. */
  readonly token: string | undefined;
  readonly address: Address;
  readonly #serverPorts: readonly [number, number];
  #directory = "";
  #child: RunningProgram | undefined;

  private constructor(port: number, serverPorts: readonly [number, number], token: string | undefined) {
    this.address = { host: "127.0.0.1", port };
    this.#serverPorts = serverPorts;
    this.token = token;
  }

  /** @param options.hasAcls whether it denies whatever no token grants; default: no */
  static async start({ hasAcls = false }: { readonly hasAcls?: boolean } = {}): Promise<RealConsulAgent> {
    const [port, server, serf] = [await closedPort(), await closedPort(), await closedPort()];
    const agent = new RealConsulAgent(
      port,
      [server, serf],
      hasAcls ? "11111111-1111-1111-1111-111111111111" : undefined,
    );
    await agent.start();
    return agent;
  }

  /** Brings it back, with what it knew; resolves when it has a leader. */
  async start(): Promise<void> {
    this.#directory ||= await mkdtemp(join(tmpdir(), "consul-"));
    const [server, serf] = this.#serverPorts;
    const { token } = this;
    const tokens = { initial_management: token, agent: token };
    const config = {
      ports: { http: this.address.port, server, serf_lan: serf, serf_wan: -1, dns: -1, grpc: -1, grpc_tls: -1 },
      disable_update_check: true,
      log_level: "warn",
      ...(token !== undefined && { acl: { enabled: true, default_policy: "deny", tokens } }),
    };
    const file = join(this.#directory, "config.json");
    await writeFile(file, JSON.stringify(config));
    const data = join(this.#directory, "data");
    const args = ["agent", "-dev", "-node", "real", "-bind", "127.0.0.1", "-data-dir", data, "-config-file", file];
    this.#child = watchChild({ command: "consul", args, env: { PATH: process.env.PATH ?? "" } });
    const child = this.#child;
    for (let isUp = false; !isUp; ) {
      const ended = await Promise.race([child.exited, delay(20)]);
      if (ended) throw new Error(`consul ended:\n${[...child.stdout, ...child.stderr].slice(-20).join("\n")}`);
      isUp = await this.#hasItself().catch(() => false); // not yet
    }
  }

  /** Whether the agent answers, has a leader, and its node is in the catalog. */
  async #hasItself(): Promise<boolean> {
    const text = await askAgent(this.address, "GET", "/v1/health/service/consul?passing", { token: this.token });
    return (JSON.parse(text) as readonly unknown[]).length > 0;
  }

  /** Makes a token with these rules, which is the one given; without rules it may do nothing. */
  async putToken(secret: string, rules = ""): Promise<void> {
    const { token } = this;
    const policy = { Name: secret, Rules: rules };
    if (rules !== "") await askAgent(this.address, "PUT", "/v1/acl/policy", { token, body: policy });
    const policies = rules === "" ? [] : [{ Name: secret }];
    await askAgent(this.address, "PUT", "/v1/acl/token", { token, body: { SecretID: secret, Policies: policies } });
  }

  /** `SIGSTOP` freezes it, `SIGCONT` lets it go on. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it as a power cut does. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
    this.#child = undefined;
  }

  /** Ends it and brings it back with nothing. */
  async restartEmpty(): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
    this.#directory = "";
    await this.start();
  }

  async close(): Promise<void> {
    await this.kill();
    if (this.#directory !== "") await rm(this.#directory, { recursive: true, force: true });
  }
}
