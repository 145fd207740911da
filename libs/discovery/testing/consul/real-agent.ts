import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { closedPort } from "@grpc-lb/core/testing";
import { type RunningProgram, watchChild } from "@grpc-lb/program/testing";
import type { Address } from "../../src/core/snapshot.ts";
import { requestAgent } from "./request-agent.ts";

/** Why no real agent can be started here; undefined if one can. */
export async function whyNoConsul(): Promise<string | undefined> {
  try {
    await promisify(execFile)("consul", ["version"]);
    return undefined;
  } catch {
    return "consul is not on the PATH";
  }
}

/**
 * A real Consul agent that is its own server, `consul agent -dev`, on free ports of 127.0.0.1. Its data stays after `kill`;
 * `restartEmpty` and `close()` remove it.
 */
export class RealConsulAgent {
  /** With ACLs, the token with all rights. */
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

  /** @param options.hasAcls whether ACLs are on and deny by default. Default: false */
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

  /** Starts it with its data; resolves when it has a leader. @throws Error when it has none within 20 s */
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
    const dueMs = performance.now() + 20_000;
    for (let isUp = false; !isUp; ) {
      const ended = await Promise.race([child.exited, delay(20)]);
      const problem = ended ? "ended" : performance.now() > dueMs ? "has no leader within 20 s" : undefined;
      if (problem) throw new Error(`consul ${problem}:\n${[...child.stdout, ...child.stderr].slice(-20).join("\n")}`);
      isUp = await this.#hasItself().catch(() => false); // it does not answer yet
    }
  }

  /** Whether the agent answers, has a leader, and its node is in the catalog. */
  async #hasItself(): Promise<boolean> {
    const text = await requestAgent(this.address, "GET", "/v1/health/service/consul?passing", { token: this.token });
    return (JSON.parse(text) as readonly unknown[]).length > 0;
  }

  /** Creates the token `secret` with these rules; without rules it has no rights. */
  async putToken(secret: string, rules = ""): Promise<void> {
    const { token } = this;
    const policy = { Name: secret, Rules: rules };
    if (rules !== "") await requestAgent(this.address, "PUT", "/v1/acl/policy", { token, body: policy });
    const policies = rules === "" ? [] : [{ Name: secret }];
    await requestAgent(this.address, "PUT", "/v1/acl/token", { token, body: { SecretID: secret, Policies: policies } });
  }

  /** `SIGSTOP` freezes it, `SIGCONT` thaws it. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Kills it, without a shutdown. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
    this.#child = undefined;
  }

  /** Kills it, and starts it without data. */
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
