import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { messageOf, systemClock } from "@grpc-lb/core";
import { createKubeconfigAccess } from "@grpc-lb/discovery/kubernetes";
import { startChild } from "@grpc-lb/program";

/** A grpc-go client with kuberesolver. */
export interface GoClient {
  /** Starts to call `target` each millisecond. */
  start(target: string): RunningGoClient;
}

export interface RunningGoClient {
  /** When the pod answered first, by `systemClock`; undefined if it has not. */
  firstMs(pod: string): number | undefined;
  stop(): Promise<void>;
}

/** Builds the client of go-client/; its modules come from the proxy that Go is configured with. A text says why it cannot be built. */
export async function buildGoClient(): Promise<GoClient | string> {
  const path = join(mkdtempSync(join(tmpdir(), "grpc-lb-go-")), "go-client");
  try {
    await promisify(execFile)("go", ["build", "-o", path, "."], {
      cwd: new URL("./go-client/", import.meta.url).pathname,
      timeout: 300_000,
    });
  } catch (error) {
    return messageOf(error).split("\n")[0] ?? "";
  }
  const access = await createKubeconfigAccess();
  const { headers, tls } = await access.credentials(false);
  const env = {
    API_SERVER: access.server.origin,
    API_CA: String(tls.ca ?? ""),
    API_CERT: String(tls.cert ?? ""),
    API_KEY: String(tls.key ?? ""),
    API_TOKEN: String(headers.authorization ?? headers.Authorization ?? "").replace(/^Bearer /, ""),
  };
  return { start: (target) => run(path, target, env) };
}

function run(path: string, target: string, env: Record<string, string>): RunningGoClient {
  const seen = new Map<string, number>();
  // Go prints the time of day, and the clock of this process counts from its start.
  const startMs = Date.now() - systemClock.now();
  const child = startChild({
    command: path,
    args: [target],
    env,
    onStdout(line) {
      const [pod = "", microseconds] = line.split(" ");
      seen.set(pod, Number(microseconds) / 1_000 - startMs);
    },
  });
  return {
    firstMs: (pod) => seen.get(pod),
    async stop() {
      await child.stop();
    },
  };
}
