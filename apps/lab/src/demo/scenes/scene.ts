import type { VerdictWord } from "@grpc-lb/verdict";
import type { Learning } from "../strategies.ts";

/** What can happen to pods and registries. */
export type Action =
  /** Starts pods; done when they are ready and published. */
  | { readonly t: "start"; readonly pods: readonly string[] }
  /** SIGKILL. After a second the cluster notices and unpublishes the pod. */
  | { readonly t: "kill"; readonly pod: string }
  /** SIGSTOP: connections stay open and calls get no answer. After two seconds the pod is unpublished. */
  | { readonly t: "freeze"; readonly pod: string }
  /** The pod gets a tenth of the CPU time. */
  | { readonly t: "slow"; readonly pod: string }
  /** SIGTERM: the pod is unpublished at once, and serves for another second. */
  | { readonly t: "drain"; readonly pods: readonly string[] }
  /** Everything that publishes pods is away: API server, etcd, Consul, DNS server, file. */
  | { readonly t: "registry-away" }
  | { readonly t: "registry-back" };

/** An action of a scene. */
export interface SceneStep {
  /** Since the action before it was done, or the scene has started. */
  readonly afterMs: number;
  readonly action: Action;
}

/** A verdict; NONE when no call succeeded after the scene. */
export type SceneWord = VerdictWord | "NONE";

/** What a scene expects of the strategies that learn of pods in one way. */
export interface SceneExpectation {
  /** The verdicts of which one must be got after the scene; `policy`: those of the strategy without a scene. */
  readonly expected: readonly SceneWord[] | "policy" | "any";
  /** The most calls that may fail. Default: any number. */
  readonly maxFailed?: number;
  /** The least calls that fail. Default: 0. */
  readonly minFailed?: number;
  /** The longest from ready to the first call, for each new pod. Default: any time, or never. */
  readonly maxFirstCallMs?: number;
  /** A sentence that explains what is seen, in at most 76 characters. */
  readonly why: string;
}

/** A scripted change of the pods while all clients call. */
export interface SceneScript {
  /** What happens, in at most 76 characters. */
  readonly summary: string;
  readonly steps: readonly SceneStep[];
  /** The least pause between the last step and the calls that count, where clients need longer to notice. */
  readonly settleMs?: number;
  readonly expectations: Readonly<Record<Learning, SceneExpectation>>;
}

/** In `hands` a person makes the changes. */
export const sceneNames = ["scale", "kill", "freeze", "slow", "rolling", "outage", "hands"] as const;
export type SceneName = (typeof sceneNames)[number];

/** A script with its name. */
export interface Scene extends SceneScript {
  readonly name: SceneName;
}

/** Scenes start with this many pods, and name them `server-1` and so on. */
export const scenePods = 3;

/** All pods of a scene, in the order in which they start. */
export function podsOfScene({ steps }: Pick<Scene, "steps">): readonly string[] {
  const first = Array.from({ length: scenePods }, (_, i) => `server-${i + 1}`);
  return [...first, ...steps.flatMap(({ action }) => (action.t === "start" ? action.pods : []))];
}
