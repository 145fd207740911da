import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { credentials } from "@grpc/grpc-js";
import { closedPort } from "@grpc-lb/core/testing";
import { type RunningProgram, startProgram } from "@grpc-lb/program/testing";
import { ClientResourceStatus } from "@grpc-lb/protos/envoy/admin/v3";
import {
  ClientStatusDiscoveryServiceClient,
  type ClientStatusRequest,
  type ClientStatusResponse,
} from "@grpc-lb/protos/envoy/service/status/v3";

const main = join(import.meta.dirname, "../src/main.ts");

/** The control plane in a process of its own, on a port that stays the same, with sources that are files. */
export class ControlPlaneProcess implements AsyncDisposable {
  readonly port: number;
  readonly #csdsPort: number;
  readonly #folder: string;
  #program: RunningProgram | undefined;
  #rejections: string[] = [];

  private constructor(port: number, csdsPort: number, folder: string) {
    this.port = port;
    this.#csdsPort = csdsPort;
    this.#folder = folder;
  }

  /** One that does not run yet. */
  static async create(): Promise<ControlPlaneProcess> {
    const folder = await mkdtemp(join(tmpdir(), "grpc-lb-control-plane-"));
    return new ControlPlaneProcess(await closedPort(), await closedPort(), folder);
  }

  /** The target of a source, whose endpoints `setEndpoints` writes. */
  target(source: string): string {
    return `file://${join(this.#folder, `${source}.json`)}`;
  }

  async setEndpoints(source: string, endpoints: readonly object[]): Promise<void> {
    await this.#write(`${source}.json`, endpoints);
  }

  async setServices(services: object): Promise<void> {
    await this.#write("control-plane.yaml", { services });
  }

  /** Resolves when it serves. */
  async start(): Promise<void> {
    const { port } = this;
    const config = join(this.#folder, "control-plane.yaml");
    const flags = { port, config, "csds-port": this.#csdsPort, "bind-address": "127.0.0.1", "drain-delay": "0s" };
    this.#program = startProgram(
      main,
      Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    );
    await this.#program.line((line) => line.includes('"serving"'));
  }

  /** Ends it as Kubernetes does. */
  async stop(): Promise<void> {
    await this.#program?.stop();
    this.#forget();
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.#program?.kill("SIGKILL");
    await this.#program?.exited;
    this.#forget();
  }

  /** It keeps its connections, and neither reads nor writes. */
  freeze(): void {
    this.#program?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#program?.kill("SIGCONT");
  }

  /** What clients rejected, from its log. */
  rejections(): readonly string[] {
    const lines = this.#program?.stdout ?? [];
    return [...this.#rejections, ...lines.filter((line) => line.includes("rejected"))];
  }

  /** The resources that its client has accepted, as `Cluster v1`, and others with their state (CSDS). */
  async resources(): Promise<readonly string[]> {
    const client = new ClientStatusDiscoveryServiceClient(`127.0.0.1:${this.#csdsPort}`, credentials.createInsecure());
    try {
      const fetchStatus = promisify<ClientStatusRequest, ClientStatusResponse>(client.fetchClientStatus.bind(client));
      const { config } = await fetchStatus({ nodeMatchers: [], node: undefined, excludeResourceContents: true });
      return config
        .flatMap(({ genericXdsConfigs }) => genericXdsConfigs)
        .map(({ typeUrl, name, clientStatus }) => {
          const state = clientStatus === ClientResourceStatus.ACKED ? "" : ` ${clientStatus}`;
          return `${typeUrl.slice(typeUrl.lastIndexOf(".") + 1)} ${name}${state}`;
        })
        .sort();
    } finally {
      client.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.thaw();
    await this.stop();
    await rm(this.#folder, { recursive: true });
  }

  #forget(): void {
    this.#rejections = [...this.rejections()];
    this.#program = undefined;
  }

  /** As a whole: the control plane never reads half of it. */
  async #write(name: string, value: unknown): Promise<void> {
    const file = join(this.#folder, name);
    await writeFile(`${file}.new`, JSON.stringify(value));
    await rename(`${file}.new`, file);
  }
}
