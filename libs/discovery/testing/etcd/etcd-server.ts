import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { closedPort } from "@grpc-lb/core/testing";

/** Why etcd cannot be run for a test; undefined when it can. */
export const etcdIsMissing = findEtcd();

function findEtcd(): string | undefined {
  try {
    execFileSync("etcd", ["--version"], { stdio: "ignore" });
    return undefined;
  } catch (error) {
    return `etcd cannot be run here (${(error as NodeJS.ErrnoException).code ?? "it fails"})`;
  }
}

/** How a server is started, where a lone one without users or TLS will not do. */
export interface EtcdServerOptions {
  /** The certificate of the server, its key, and the authority that signed the certificates. */
  readonly tls?: {
    readonly certFile: string;
    readonly keyFile: string;
    readonly caFile: string;
    readonly requiresClientCertificate?: boolean;
  };
  /** More command line. */
  readonly args?: readonly string[];
}

/**
 * A real etcd on free ports of this machine, with its data in a folder of its own. What a test does to it goes through etcd's
 * JSON gateway, so not through the client under test. Elections are quick, so the least TTL of a lease is a second.
 */
export class EtcdServer {
  readonly #options: EtcdServerOptions;
  readonly #name: string;
  readonly #peerPort: number;
  #clientPort: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "grpc-lb-etcd-"));
  /** Of all members, as etcd wants it: `m0=http://127.0.0.1:1,…`. */
  #cluster: string;
  #child: ChildProcess | undefined;
  /** The token of the administrator, when there are users. */
  #token: string | undefined;

  private constructor(options: EtcdServerOptions, name: string, ports: { client: number; peer: number }) {
    this.#options = options;
    this.#name = name;
    this.#clientPort = ports.client;
    this.#peerPort = ports.peer;
    this.#cluster = `${name}=${this.#peerUrl}`;
  }

  static async start(options: EtcdServerOptions = {}): Promise<EtcdServer> {
    const server = new EtcdServer(options, "m0", { client: await closedPort(), peer: await closedPort() });
    try {
      await server.start();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** Starts a cluster of this many members. */
  static async startCluster(count: number, options: EtcdServerOptions = {}): Promise<readonly EtcdServer[]> {
    const servers: EtcdServer[] = [];
    for (let n = 0; n < count; n++) {
      servers.push(new EtcdServer(options, `m${n}`, { client: await closedPort(), peer: await closedPort() }));
    }
    const cluster = servers.map((server) => server.#cluster).join(",");
    for (const server of servers) server.#cluster = cluster;
    await Promise.all(servers.map((server) => server.start()));
    return servers;
  }

  /** `127.0.0.1:2379`, and the same after a restart. */
  get endpoint(): string {
    return `127.0.0.1:${this.#clientPort}`;
  }

  get port(): number {
    return this.#clientPort;
  }

  /** Starts it with what it knew; resolves when it serves. */
  async start(): Promise<void> {
    const scheme = this.#options.tls ? "https" : "http";
    const { tls } = this.#options;
    const child = spawn(
      "etcd",
      [
        ...["--name", this.#name, "--data-dir", join(this.#folder, "data"), "--logger", "zap"],
        ...[
          "--listen-client-urls",
          `${scheme}://${this.endpoint}`,
          "--advertise-client-urls",
          `${scheme}://${this.endpoint}`,
        ],
        ...["--listen-peer-urls", this.#peerUrl, "--initial-advertise-peer-urls", this.#peerUrl],
        ...["--initial-cluster", this.#cluster, ...this.#elections, "--bcrypt-cost", "4"],
        ...(tls ? ["--cert-file", tls.certFile, "--key-file", tls.keyFile] : []),
        ...(tls?.requiresClientCertificate ? ["--client-cert-auth", "--trusted-ca-file", tls.caFile] : []),
        ...(this.#options.args ?? []),
      ],
      { stdio: ["ignore", "ignore", "pipe"], env: { PATH: process.env.PATH ?? "" } },
    );
    // The child runs longer than one test, so it must not count as an open handle. Its stderr keeps the test process alive.
    child.unref();
    process.once("exit", this.#killNow);
    this.#child = child;
    const lines: string[] = [];
    const { promise: serving, resolve, reject } = Promise.withResolvers<void>();
    createInterface({ input: child.stderr }).on("line", (line) => {
      lines.push(line);
      if (/serving client traffic|serving insecure client requests/.test(line)) resolve();
    });
    child.once("exit", (code, signal) => reject(new Error(`etcd: ${signal ?? code}\n${lines.slice(-5).join("\n")}`)));
    const alive = setTimeout(() => reject(new Error(`etcd does not serve:\n${lines.slice(-5).join("\n")}`)), 20_000);
    try {
      await serving;
    } finally {
      clearTimeout(alive);
    }
    // It accepts requests before it has a leader.
    await this.request("/v3/kv/range", { key: base64("ready") }, { isRetried: true });
  }

  /** Kills it, as a failure of its machine does. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    process.removeListener("exit", this.#killNow);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.ref();
    child.kill("SIGKILL");
    await exited;
  }

  /** Starts it with its data on a port that sources do not know, calls `meanwhile`, and restarts it on its own port. */
  async startElsewhere(meanwhile: () => Promise<void>): Promise<void> {
    const own = this.#clientPort;
    this.#clientPort = await closedPort();
    await this.start();
    await meanwhile();
    await this.stop();
    this.#clientPort = own;
    await this.start();
  }

  /** Restarts it without data. */
  async restartEmpty(): Promise<void> {
    await this.stop();
    rmSync(join(this.#folder, "data"), { recursive: true });
    this.#token = undefined;
    await this.start();
  }

  /** Makes it accept connections without an answer until `thaw`. */
  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }

  /** Kills it and removes its data. */
  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true });
  }

  async put(key: string, value: string, lease?: string): Promise<void> {
    await this.request("/v3/kv/put", { key: base64(key), value: base64(value), ...(lease && { lease }) });
  }

  async delete(key: string): Promise<void> {
    await this.request("/v3/kv/deleterange", { key: base64(key) });
  }

  /** The values of a prefix, by their keys. */
  async read(prefix: string): Promise<ReadonlyMap<string, { readonly value: string; readonly lease: string }>> {
    const end = Buffer.from(prefix);
    end.writeUInt8((end.at(-1) ?? 0) + 1, end.length - 1);
    const { kvs = [] } = (await this.request("/v3/kv/range", {
      key: base64(prefix),
      range_end: end.toString("base64"),
    })) as { kvs?: { key: string; value: string; lease?: string }[] };
    const text = (encoded: string) => Buffer.from(encoded, "base64").toString();
    return new Map(kvs.map(({ key, value, lease = "0" }) => [text(key), { value: text(value), lease }]));
  }

  /** Makes every revision but the newest unreadable. */
  async compact(): Promise<void> {
    const { header } = (await this.request("/v3/kv/range", { key: base64("any") })) as { header: { revision: string } };
    await this.request("/v3/kv/compaction", { revision: header.revision, physical: true });
  }

  async revoke(lease: string): Promise<void> {
    await this.request("/v3/lease/revoke", { ID: lease });
  }

  /** Enables authentication, with the user `root` and its password `root`. */
  async enableAuth(): Promise<void> {
    await this.addUser("root", "root");
    await this.request("/v3/auth/role/add", { name: "root" });
    await this.grantRole("root", "root");
    await this.request("/v3/auth/enable", {});
    await this.login();
  }

  async login(): Promise<void> {
    const { token } = (await this.request("/v3/auth/authenticate", { name: "root", password: "root" })) as {
      token: string;
    };
    this.#token = token;
  }

  async addUser(name: string, password: string): Promise<void> {
    await this.request("/v3/auth/user/add", { name, password });
  }

  async changePassword(name: string, password: string): Promise<void> {
    await this.request("/v3/auth/user/changepw", { name, password });
  }

  async grantRole(user: string, role: string): Promise<void> {
    await this.request("/v3/auth/user/grant", { user, role });
  }

  /** Adds a role with this permission on all keys of a prefix. */
  async addRole(name: string, prefix: string, permType: "READ" | "WRITE" | "READWRITE"): Promise<void> {
    const end = Buffer.from(prefix);
    end.writeUInt8((end.at(-1) ?? 0) + 1, end.length - 1);
    const perm = { permType, key: base64(prefix), range_end: end.toString("base64") };
    await this.request("/v3/auth/role/add", { name });
    await this.request("/v3/auth/role/grant", { name, perm });
  }

  /** The number of watch streams that clients have open, from etcd's metrics. */
  async countWatches(): Promise<number> {
    const text = String(await this.request("/metrics", undefined));
    return Number(/^etcd_debugging_mvcc_watch_stream_total (\d+)/m.exec(text)?.[1] ?? Number.NaN);
  }

  /** Resolves when clients have `count` watch streams open. Polls, because etcd counts with a delay. @throws Error after 5 s */
  async untilWatches(count: number): Promise<void> {
    for (const dueMs = performance.now() + 5_000; performance.now() < dueMs; ) {
      if ((await this.countWatches()) === count) return;
    }
    throw new Error(`etcd has ${await this.countWatches()} watches, want ${count}`);
  }

  /** Sends a request to the JSON gateway, on its own connection, so that none stays open. */
  async request(path: string, body: unknown, { isRetried = false } = {}): Promise<unknown> {
    const { tls } = this.#options;
    const dueMs = performance.now() + 10_000;
    for (;;) {
      const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
      const options = {
        host: "127.0.0.1",
        port: this.#clientPort,
        path,
        agent: false,
        method: body === undefined ? "GET" : "POST",
        headers: this.#token ? { authorization: this.#token } : {},
        ...(tls && {
          ca: readFileSync(tls.caFile),
          cert: readFileSync(tls.certFile),
          key: readFileSync(tls.keyFile),
          servername: "",
        }),
      };
      const request = (tls ? requestHttps : requestHttp)(options, async (response) => {
        let text = "";
        for await (const chunk of response) text += chunk;
        resolve({ status: response.statusCode ?? 0, text });
      });
      request.on("error", reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
      const { status, text } = await promise;
      if (status === 200) return body === undefined ? text : JSON.parse(text);
      if (isRetried && performance.now() < dueMs) continue;
      throw new Error(`etcd's gateway: ${path}: ${status} ${text}`);
    }
  }

  /** A single member elects itself quickly. In a cluster, a busy machine must not cause elections. */
  get #elections(): readonly string[] {
    const [heartbeatMs, electionMs] = this.#cluster.includes(",") ? [50, 500] : [10, 100];
    return ["--heartbeat-interval", String(heartbeatMs), "--election-timeout", String(electionMs)];
  }

  get #peerUrl(): string {
    return `http://127.0.0.1:${this.#peerPort}`;
  }

  readonly #killNow = () => void this.#child?.kill("SIGKILL");
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
