import { systemClock } from "@grpc-lb/core";
import { companionOf, imageVariable, workloadOf } from "./companion.ts";
import { type Kubectl, stop } from "./kubectl.ts";
import { strategies } from "./strategy.ts";

const limitSeconds = 120;
/** How long a pod may be stuck before the rollout fails: a failed first pull or a crash can be temporary. */
const stuckLimitMs = 15_000;

/** Why a rollout makes no progress. */
export interface Trouble {
  /** The pod or deployment and the reason, in one line. */
  readonly text: string;
  /** The pod, if it is about one. */
  readonly pod?: string;
  /** Whether waiting is unlikely to help. */
  readonly stuck: boolean;
  /** What to do about it, if known. */
  readonly advice?: string;
}

/**
 * Waits until a deployment or daemon set has rolled out and prints kubectl's progress. Otherwise ends the program with the reason, after two
 * minutes or when pods have been stuck for 15 s.
 */
export async function waitForRollout(kubectl: Kubectl, app: string): Promise<void> {
  const giveUp = new AbortController();
  const done = new AbortController();
  const args = ["rollout", "status", workloadOf(app), `--timeout=${limitSeconds}s`];
  const status = kubectl.try(args, { show: true, signal: giveUp.signal, doing: `${app} was rolling out` });
  status.finally(() => done.abort()).catch(() => {}); // its failure is awaited below
  let stuckSince: number | null = null;
  for (;;) {
    await systemClock.sleep(2_000, done.signal);
    if (done.signal.aborted) break;
    const trouble = await findTrouble(kubectl, app);
    stuckSince = trouble?.stuck ? (stuckSince ?? Date.now()) : null;
    if (stuckSince !== null && Date.now() - stuckSince >= stuckLimitMs) giveUp.abort();
  }
  const { code, problem } = await status;
  if (code === 0) return;

  const trouble = await findTrouble(kubectl, app);
  if (trouble?.pod !== undefined) await showDetails(kubectl, app, trouble.pod);
  const advice = trouble?.advice === undefined ? "" : `; ${trouble.advice}`;
  stop(`${app} did not roll out: ${shorten(trouble?.text ?? problem)}${advice}`);
}

/** Reads from the cluster why a deployment's newest pods are not ready; null if nothing is wrong yet. */
async function findTrouble(kubectl: Kubectl, app: string): Promise<Trouble | null> {
  const args = ["get", "deployments,daemonsets,replicasets,pods", "-l", `app=${app}`, "-o", "json"];
  const { code, stdout } = await kubectl.try(args, { doing: `${app} was rolling out` });
  return code === 0 ? explain(app, JSON.parse(stdout).items) : null;
}

/** What to do about a missing image. */
function imageAdvice(app: string, reason: string): string | undefined {
  if (!["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"].includes(reason)) return undefined;
  const companion = strategies.map(companionOf).find((each) => each?.name === app);
  if (companion)
    return `the nodes must have the image or be able to pull it; ${imageVariable(companion.program)}=… sets another`;
  if (reason === "ErrImageNeverPull") return "the images are not on the nodes: make kube-load";
  return "are the images on the nodes? make kube-load, or make docker-push with IMAGE_PREFIX";
}

/**
 * Finds the worst trouble of a deployment or daemon set and its pods. Only its newest pods count, because this rollout replaces older
 * ones.
 *
 * @param items objects of the API
 */
// biome-ignore lint/suspicious/noExplicitAny: objects of the API, as wide as the server sends them
export function explain(app: string, items: readonly any[]): Trouble | null {
  const workload = items.find(
    ({ kind, metadata }) => (kind === "Deployment" || kind === "DaemonSet") && metadata.name === app,
  );
  const newest = workload === undefined ? null : labelOfNewest(workload, items);
  if (newest === null) return null;
  const observed = workload.status?.observedGeneration ?? 0;
  if (observed < workload.metadata.generation) return null; // the status is from before the change

  for (const { type, status, message } of workload.status?.conditions ?? []) {
    if (type === "ReplicaFailure" && status === "True") return { text: message, stuck: true };
  }
  const troubles: Trouble[] = [];
  for (const { kind, metadata, status } of items) {
    if (kind !== "Pod" || metadata.labels?.[newest.key] !== newest.value) continue;
    const containers = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
    const about = (text: string, stuck: boolean, advice?: string) =>
      troubles.push({
        text: `pod ${metadata.name}: ${text}`,
        pod: metadata.name,
        stuck,
        ...(advice ? { advice } : {}),
      });
    for (const { state } of containers) {
      const { reason, message } = state?.waiting ?? {};
      if (reason === undefined || reason === "ContainerCreating" || reason === "PodInitializing") continue;
      about([reason, message].filter(Boolean).join(": "), true, imageAdvice(app, reason));
    }
    for (const { type, status: holds, reason, message } of status.conditions ?? []) {
      if (holds === "True") continue;
      if (type === "PodScheduled") about([reason, message].filter(Boolean).join(": "), false);
      if (type === "Ready" && reason === "ContainersNotReady") about("started, but not ready yet", false);
    }
  }
  return troubles.find(({ stuck }) => stuck) ?? troubles[0] ?? null;
}

/** The label of a workload's newest pods; null if they cannot be told apart yet. */
// biome-ignore lint/suspicious/noExplicitAny: objects of the API, as wide as the server sends them
function labelOfNewest(workload: any, items: readonly any[]): { readonly key: string; readonly value: string } | null {
  const { annotations } = workload.metadata;
  if (workload.kind === "DaemonSet") return { key: generationKey, value: annotations?.[daemonSetGenerationKey] };
  const revision = annotations?.[revisionKey];
  const newest = items.find(
    ({ kind, metadata }) => kind === "ReplicaSet" && metadata.annotations?.[revisionKey] === revision,
  );
  return newest === undefined ? null : { key: hashKey, value: newest.metadata.labels?.[hashKey] };
}

/** A runtime's reason can be a page long; the printed events contain all of it. */
const shorten = (text: string) => (text.length > 240 ? `${text.slice(0, 240)}…` : text);

const revisionKey = "deployment.kubernetes.io/revision";
const hashKey = "pod-template-hash";
const generationKey = "pod-template-generation";
const daemonSetGenerationKey = "deprecated.daemonset.template.generation";

/** Prints the last events of a pod and the last lines of its log. */
async function showDetails(kubectl: Kubectl, app: string, pod: string): Promise<void> {
  const columns = "custom-columns=REASON:.reason,TIMES:.count,MESSAGE:.message";
  const selector = `involvedObject.name=${pod}`;
  const events = await kubectl.try([
    "get",
    "events",
    "--field-selector",
    selector,
    "--sort-by=.lastTimestamp",
    "-o",
    columns,
  ]);
  const [head, ...rows] = events.stdout.trimEnd().split("\n");
  if (rows.length > 0) process.stderr.write(`\nlast events of ${pod}\n${[head, ...rows.slice(-5)].join("\n")}\n`);
  for (const previous of [["--previous"], []]) {
    const log = await kubectl.try(["logs", pod, "-c", app, "--tail=5", ...previous]);
    if (log.code !== 0 || log.stdout === "") continue;
    process.stderr.write(`\nlast lines of ${pod}\n${log.stdout}`);
    break;
  }
  process.stderr.write("\n");
}
