import { get } from "node:http";

/** Where a mesh answers in the pods that it is in. */
export interface Sidecar {
  readonly name: string;
  readonly port: number;
  readonly path: string;
}

/** Istio's agent: https://istio.io/latest/docs/ops/deployment/application-requirements/. Linkerd's proxy: its admin port. */
const known: readonly Sidecar[] = [
  { name: "Istio", port: 15_021, path: "/healthz/ready" },
  { name: "Linkerd", port: 4_191, path: "/ready" },
];

/** The name of the mesh whose sidecar is in this pod; undefined when none answers within half a second. */
export async function findSidecar(sidecars = known): Promise<string | undefined> {
  const found = await Promise.all(
    sidecars.map(async (sidecar) => ((await answers(sidecar)) ? sidecar.name : undefined)),
  );
  return found.find((name) => name !== undefined);
}

function answers({ port, path }: Sidecar): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path, timeout: 500, agent: false }, (response) => {
      response.destroy();
      resolve(response.statusCode === 200 || response.statusCode === 503); // 503: it is there, and starts with this program
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
    request.on("socket", (socket) => socket.unref());
  });
}
