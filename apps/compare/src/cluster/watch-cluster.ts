import { type Clock, messageOf } from "@grpc-lb/core";
import type { ApiAccess } from "@grpc-lb/discovery/kubernetes";
import { ApiClient } from "@grpc-lb/discovery/kubernetes/api";
import { expectationOfStrategy } from "@grpc-lb/verdict";
import type { Input } from "../input.ts";
import { clusterActions } from "./actions.ts";
import { followLog } from "./client-log.ts";
import { type PublishedPods, watchEndpoints } from "./endpoints.ts";
import { chooseClient, type ServerPod } from "./pod.ts";
import { PodWatch } from "./pod-watch.ts";

/** What of a cluster is on the page. */
export interface ClusterOptions {
  readonly access: ApiAccess;
  readonly namespace: string;
  /** How client-grpc reaches the servers, as `make kube-deploy` calls it; empty if it is not known. */
  readonly strategy: string;
  /** Client-grpc's load balancing policy; empty for the strategy's own. */
  readonly policy: string;
  readonly allowActions: boolean;
  readonly clock: Clock;
  onInput(input: Input): void;
}

/** A namespace that is watched. */
export interface WatchedCluster {
  /** Presses a button. */
  act(name: string): void;
  /** Resolves when the signal is aborted and nothing runs any more. */
  readonly ended: Promise<void>;
}

/**
 * Reads what the page shows from the API server, until `signal` is aborted: the pods of server and clients, the Service's
 * EndpointSlices, and the clients' logs. It goes on over every failure, which is a note on the page while it lasts.
 */
export function watchCluster(options: ClusterOptions, signal: AbortSignal): WatchedCluster {
  const { access, namespace, strategy, policy, clock, onInput } = options;
  const actions = options.allowActions ? clusterActions : [];
  const api = new ApiClient(access, clock);
  const note = createNotes((text) => onInput({ t: "note", text }));

  const way = ["gRPC", strategy, policy].filter(Boolean).join(", ");
  const clients = [
    { name: "client-http", way: "HTTP/1.1, the Service", ...expectationOfStrategy("http") },
    { name: "client-grpc", way, ...expectationOfStrategy(strategy, policy || (strategy && "round_robin")) },
  ];
  const title = [namespace, strategy].filter(Boolean).join(": ");
  onInput({ t: "hello", title, actions: actions.map(({ run: _run, ...action }) => action) });
  for (const { name, way, why, rule } of clients) onInput({ t: "client", name, way, why, rule });

  let published: PublishedPods = new Map();
  const showServer = (pod: ServerPod) => onInput({ t: "pod", ...pod, zone: pod.zone || published.get(pod.pod) || "" });
  const watch = new PodWatch({ api, namespace, clock, onServer: showServer, warn: (text) => note("pods", text) });
  const onPublished = (next: PublishedPods) => {
    const added = [...next.keys()].filter((pod) => !published.has(pod));
    published = next;
    onInput({ t: "endpoints", pods: [...next.keys()] });
    for (const pod of watch.servers) if (added.includes(pod.pod)) showServer(pod);
  };
  const work = [
    watch.run(signal),
    watchEndpoints({ access, namespace, onPublished, warn: (text) => note("endpoints", text) }, signal),
    ...clients.map(({ name }) => {
      const pod = () => chooseClient(watch.pods, name);
      const onLine = (line: string) => onInput({ t: "line", client: name, line });
      return followLog({ api, namespace, clock, client: name, pod, onLine, warn: (text) => note(name, text) }, signal);
    }),
  ];
  return {
    act(name) {
      const target = { api, namespace, servers: watch.servers, signal };
      const done = actions.find((each) => each.name === name)?.run(target) ?? Promise.resolve("");
      done.catch(messageOf).then((problem) => note("action", problem));
    },
    ended: Promise.all(work)
      .then(() => {})
      .finally(() => api.close()),
  };
}

/** Keeps the notes of all parts, and shows the latest of those that were not taken back. */
function createNotes(show: (text: string) => void): (part: string, text: string) => void {
  const notes = new Map<string, string>();
  let shown = "";
  return (part, text) => {
    notes.delete(part);
    if (text !== "") notes.set(part, text);
    const last = [...notes.values()].at(-1) ?? "";
    if (last !== shown) show(last);
    shown = last;
  };
}
