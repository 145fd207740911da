/**
 * The behaviours of discovery's fake API server, on the real one of kubectl's current context: in a namespace of their own,
 * with slices written by hand, so that no pod is needed. Run by `node --test libs/discovery/e2e/conformance.e2e.ts`.
 */
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { assertNothingLeft } from "@grpc-lb/runtime/testing";
import type { ApiAccess } from "../src/kubernetes/api.ts";
import { createKubeconfigAccess } from "../src/kubernetes/kubeconfig.ts";
import { behaviours, type World } from "../testing/index.ts";
import { type Relay, startRelay } from "./relay.ts";

const run = promisify(execFile);
const namespace = `grpc-lb-discovery-${randomBytes(3).toString("hex")}`;
/** A name that every API server's certificate has, whatever address it is reached by. */
const servername = "kubernetes.default.svc";

const kubectl = async (...args: string[]) => (await run("kubectl", args, { timeout: 60_000 })).stdout.trim();

async function apply(...objects: readonly object[]): Promise<void> {
  const child = spawn("kubectl", ["apply", "--server-side", "--force-conflicts", "-f", "-"], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  child.stdin.end(JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`kubectl apply exited with ${code}`);
}

const context = await kubectl("config", "current-context").catch(() => undefined);
const skip = context === undefined ? "kubectl has no current context" : false;

let relay: Relay;
let world: World;

before(async () => {
  if (skip) return;
  const direct = await createKubeconfigAccess();
  relay = await startRelay(direct.server.hostname, Number(direct.server.port || 443));
  const through = (own: ApiAccess["credentials"]): ApiAccess => ({
    server: new URL(`https://127.0.0.1:${relay.port}`),
    namespace,
    credentials: own,
  });
  const withName: ApiAccess["credentials"] = async (afterDenial) => {
    const { headers, tls } = await direct.credentials(afterDenial);
    return { headers, tls: { ...tls, servername } };
  };
  await kubectl("create", "namespace", namespace);
  world = {
    access: through(withName),
    namespace,
    put: apply,
    deleteSlice: async (name) => void (await kubectl("delete", "endpointslice", name, "-n", namespace)),
    deleteService: async (name) => void (await kubectl("delete", "service", name, "-n", namespace)),
    breakWatches: async () => relay.breakConnections(),
    async stranger() {
      await kubectl("create", "serviceaccount", "stranger", "-n", namespace);
      const token = await kubectl("create", "token", "stranger", "-n", namespace);
      const access = through(async () => {
        const { ca } = (await direct.credentials(false)).tls;
        return { headers: { authorization: `Bearer ${token}` }, tls: { ...(ca && { ca }), servername } };
      });
      return { access, user: `system:serviceaccount:${namespace}:stranger` };
    },
  };
});

after(async () => {
  if (skip) return;
  await relay.close();
  await kubectl("delete", "namespace", namespace, "--wait=false");
  await assertNothingLeft();
});

for (const [i, { name, run, isPossible }] of behaviours.entries()) {
  test(name, { skip, timeout: 60_000 }, async (t) => {
    if (isPossible && !isPossible(world)) return t.skip("this API server cannot be made to");
    await run(world, `service-${i}`);
  });
}
