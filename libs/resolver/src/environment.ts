/** What in the environment of a process keeps calls from going where the resolver sends them. */
import { systemClock } from "@grpc-lb/core";
import { HttpClient, RequestGuard } from "@grpc-lb/core/http";

/** In the order of grpc-js, which takes the first that is set, and no other spelling. */
const proxyVariables = ["grpc_proxy", "https_proxy", "http_proxy"] as const;

/**
 * The warning when this environment makes grpc-js send calls to an HTTP proxy; undefined when it does not. The variable's
 * value is not repeated, as it may hold a password.
 *
 * @param schemes that are registered
 */
export function describeProxy(env: NodeJS.ProcessEnv, schemes: readonly string[]): string | undefined {
  const variable = proxyVariables.find((name) => env[name]);
  // grpc-js supports http: proxies alone, and ignores any other value.
  if (variable === undefined || URL.parse(env[variable] ?? "")?.protocol !== "http:") return undefined;
  const names = schemes.map((scheme) => `${scheme}:`).join(", ");
  return (
    `${variable} is set: grpc-js hands ${names} targets without a port, or with a number for a port, to that proxy ` +
    'and resolves nothing; give their channels "grpc.enable_http_proxy": 0, or name the services in no_grpc_proxy or no_proxy'
  );
}

/** Where the sidecar of a mesh answers in its pods. */
export interface Sidecar {
  readonly mesh: string;
  readonly port: number;
  readonly path: string;
}

/** Istio's agent: https://istio.io/latest/docs/ops/deployment/application-requirements/. Linkerd's proxy: its admin port. */
const knownSidecars: readonly Sidecar[] = [
  { mesh: "Istio", port: 15_021, path: "/healthz/ready" },
  { mesh: "Linkerd", port: 4_191, path: "/ready" },
];

/** How long a sidecar may take to answer, in milliseconds, however much it sends. */
const probeTimeoutMs = 500;

/** The name of the mesh whose sidecar is in this pod; undefined when none answers within half a second. Never rejects. */
export async function findSidecar(sidecars = knownSidecars): Promise<string | undefined> {
  const found = await Promise.all(
    sidecars.map(async (sidecar) => ((await isAnswering(sidecar)) ? sidecar.mesh : undefined)),
  );
  return found.find((mesh) => mesh !== undefined);
}

async function isAnswering({ port, path }: Sidecar): Promise<boolean> {
  const client = new HttpClient({ isSecure: false, background: true, keepAlive: false });
  const guard = new RequestGuard(new AbortController().signal, systemClock, probeTimeoutMs);
  guard.allow(probeTimeoutMs);
  try {
    const status = await client.exchange({ host: "127.0.0.1", port, path }, guard, async (answer) => answer.status);
    return status === 200 || status === 503; // 503: the sidecar is there, and starts with this program
  } catch {
    return false; // a closed port, or a peer that does not answer as a sidecar does
  } finally {
    guard.release();
    client.close();
  }
}

/** The warning for a client that dials pods from a pod with a sidecar. */
export function describeSidecar(mesh: string, target: string): string {
  return (
    `${target}: ${mesh} has a sidecar in this pod, which does not balance calls to pod addresses and may refuse them under ` +
    "strict mTLS; with a mesh, dial the Service: dns:///service:port"
  );
}
