/**
 * Serves the live page for what is deployed in a namespace, until Ctrl-C: `make kube-live`. It follows the logs of the clients and
 * watches the server's pods with the rights of the user's kubectl, and changes nothing unless ALLOW_ACTIONS=true.
 */
import { join } from "node:path";
import { ProgramError, portFlag, runProgram, startChild, switchFlag } from "@grpc-lb/program";
import { expectationOfStrategy } from "@grpc-lb/verdict";
import { expectationOf, readDeployed } from "../cluster/deployed.ts";
import { followClient } from "../cluster/follow-client.ts";
import { createKubectl, namespaceFlag, requireRights } from "../cluster/kubectl.ts";
import { actionRights, clusterActions } from "./actions.ts";
import type { LivePod } from "./pod-state.ts";
import { type PublishedPods, watchEndpoints } from "./watch-endpoints.ts";
import { watchServers } from "./watch-servers.ts";

const flags = {
  namespace: namespaceFlag,
  port: portFlag({ help: "port of the page on 127.0.0.1, 0 for a free one", default: 0 }),
  allowActions: switchFlag({ help: "lets the page scale the server, delete a pod and restart the rollout" }),
};

const compareMain = join(import.meta.dirname, "../../apps/compare/src/main.ts");
const rights = [
  ...["get deployments.apps", "list pods", "watch pods", "get pods --subresource=log"],
  ...["list endpointslices.discovery.k8s.io", "watch endpointslices.discovery.k8s.io"],
];

void runProgram(
  { name: "kube-live", summary: "Shows the deployed clients' calls on a page.", flags },
  async (context) => {
    const { flags, signal } = context;
    const kubectl = await createKubectl(flags.namespace, signal);
    const actions = flags.allowActions ? clusterActions : [];
    await requireRights(kubectl, [...new Set([...rights, ...(flags.allowActions ? actionRights : [])])]);
    const deployed = await readDeployed(kubectl);
    const way = [deployed.strategy, deployed.policy].filter(Boolean).join(", ");
    const clients = [
      { name: "client-http", way: "HTTP/1.1, the Service", ...expectationOfStrategy("http") },
      { name: "client-grpc", way: `gRPC, ${way}`, ...expectationOf(deployed) },
    ];

    const ended = new AbortController();
    const stop = AbortSignal.any([signal, ended.signal]);
    /** The pods that are there, the one that has its state longest first. */
    const pods = new Map<string, LivePod>();
    const { PATH = "" } = process.env;
    const page = startChild({
      command: process.execPath,
      args: [compareMain, "--port", String(flags.port)],
      env: { PATH },
      hasStdin: true,
      onStdout(line) {
        const { t, url, action } = JSON.parse(line);
        if (t === "serving") process.stdout.write(`${url}\n`);
        if (t === "action") act(action).catch(() => {}); // only an interruption rejects, which ends the program
      },
      onStderr: (line) => void process.stderr.write(`${line}\n`),
    });
    const send = (input: Readonly<Record<string, unknown>>) => page.writeLine(JSON.stringify(input));
    const note = createNote(send);
    const act = async (name: string) => {
      const ready = [...pods.values()].filter(({ state }) => state === "ready").map(({ pod }) => pod);
      const problem = await actions.find((each) => each.name === name)?.run(kubectl, ready);
      note("action", problem ?? "");
    };

    send({ t: "hello", title: `${kubectl.namespace}: ${deployed.strategy}`, actions });
    for (const { name, way, why, rule } of clients) send({ t: "client", name, way, why, rule });
    let published: PublishedPods = new Map();
    const showPod = (pod: LivePod) => send({ t: "pod", ...pod, zone: pod.zone || published.get(pod.pod) || "" });
    const work = [
      watchServers(kubectl, {
        onPod(pod) {
          if (pods.get(pod.pod)?.state !== pod.state) pods.delete(pod.pod); // it becomes the last one
          if (pod.state !== "gone") pods.set(pod.pod, pod);
          showPod(pod);
        },
        warn: (text) => note("pods", text),
        signal: stop,
      }),
      watchEndpoints(kubectl.namespace, {
        onPublished(next) {
          const [joined, left] = [[...next.keys()].filter((pod) => !published.has(pod)), [...published.keys()]];
          const gone = left.filter((pod) => !next.has(pod));
          published = next;
          for (const pod of joined) send({ t: "scene", text: `the Service has ${pod}` });
          for (const pod of gone) send({ t: "scene", text: `the Service has ${pod} no more` });
          for (const pod of joined.flatMap((name) => pods.get(name) ?? [])) showPod(pod);
        },
        warn: (text) => note("endpoints", text),
        signal: stop,
      }),
      ...clients.map(({ name }) => {
        const give = (line: string) => send({ t: "line", client: name, line });
        return followClient(kubectl, name, { lines: 0, give, warn: (text) => note(name, text), signal: stop });
      }),
    ];
    const pageEnded = page.exited.then(({ code }) => {
      if (!stop.aborted) throw new ProgramError(`the page's server exited with code ${code}`, { exitCode: 1 });
    });
    try {
      await Promise.race([pageEnded, Promise.all(work)]);
    } catch (error) {
      if (!signal.aborted) throw error; // Ctrl-C is how it ends
    } finally {
      ended.abort();
      await Promise.allSettled(work);
      await page.stop();
    }
    return 0;
  },
);

/** Shows one note on the page: the latest of those that each part has and has not taken back. */
function createNote(send: (input: Readonly<Record<string, unknown>>) => void): (part: string, text: string) => void {
  const notes = new Map<string, string>();
  let shown = "";
  return (part, text) => {
    notes.delete(part);
    if (text !== "") notes.set(part, text);
    const last = [...notes.values()].at(-1) ?? "";
    if (last !== shown) send({ t: "note", text: last });
    shown = last;
  };
}
