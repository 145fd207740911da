import { closedPort } from "@grpc-lb/core/testing";
import {
  Calls,
  type CallsOptions,
  type ForeignClientKind,
  type Pod,
  startPod,
  untilCalled,
} from "@grpc-lb/xds/testing/foreign";
import { ControlPlaneProcess } from "./control-plane-process.ts";

/** A pod of a source: its name, or more than that. */
export type Listed = string | { readonly pod: string; readonly weight: number };

/** The services of a configuration, of which the client calls `server`. @param target the target of a source */
export type Services = (target: (source: string) => string) => Readonly<Record<string, object>>;

/** What is served, and to whom. */
export interface WorldOptions {
  readonly kind: ForeignClientKind;
  /** The pods of each source. */
  readonly sources: Readonly<Record<string, readonly Listed[]>>;
  readonly services: Services;
  readonly calls?: CallsOptions;
  readonly ignoresDeletion?: boolean;
}

/** A control plane, pods, and a client, which calls the service `server` until the end. */
export interface World extends AsyncDisposable {
  readonly kind: ForeignClientKind;
  readonly controlPlane: ControlPlaneProcess;
  readonly calls: Calls;
  /** One call more. @returns the name of the pod */
  call(user: string): Promise<string>;
  /** A pod that runs. */
  pod(name: string): Pod;
  /** Starts a pod that has ended, on the port that it had. */
  startAgain(name: string): Promise<void>;
  /** Says which pods a source has. Those that are new start. @returns the time, by `performance.now` */
  list(source: string, ...listed: Listed[]): Promise<number>;
  configure(services: Services): Promise<void>;
}

/** Starts one; the client has called. */
export async function startWorld({ kind, sources, services, calls: pace, ...more }: WorldOptions): Promise<World> {
  await using ending = new AsyncDisposableStack();
  const controlPlane = ending.use(await ControlPlaneProcess.create());
  const listenerPort = await closedPort();
  const pods = new Map<string, Pod>();
  ending.defer(() => {
    for (const pod of pods.values()) pod.close();
  });
  const start = async (name: string) => {
    const pod = await startPod(name, pods.get(name)?.port);
    pods.set(name, pod);
    return pod;
  };
  const list: World["list"] = async (source, ...listed) => {
    const endpoints: object[] = [];
    for (const one of listed) {
      const { pod: name, ...more } = typeof one === "string" ? { pod: one } : one;
      const { port } = pods.get(name) ?? (await start(name));
      endpoints.push({ address: `127.0.0.1:${port}`, ...more });
    }
    const sinceMs = performance.now();
    await controlPlane.setEndpoints(source, endpoints);
    return sinceMs;
  };
  const configure: World["configure"] = async (make) => {
    const { server, ...others } = make((source) => controlPlane.target(source));
    await controlPlane.setServices({ ...others, server: { ...server, envoyPort: listenerPort } });
  };
  for (const [source, listed] of Object.entries(sources)) await list(source, ...listed);
  await configure(services);
  await controlPlane.start();
  const client = await kind.start({ service: "server", controlPlanePort: controlPlane.port, listenerPort, ...more });
  ending.defer(() => client.close());
  await untilCalled(client);
  const calls = new Calls(client, { ...pace, ownFault: kind.ownFault });
  ending.defer(() => calls.stop());
  const all = ending.move();
  return {
    ...{ kind, controlPlane, calls, list, configure },
    call: (user) => client.call(user),
    pod: (name) => pods.get(name) as Pod,
    startAgain: async (name) => void (await start(name)),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
