import { type Clock, messageOf, printableLine } from "@grpc-lb/core";
import { maxReasonLength, XdsError } from "./error.ts";
import type { DecodedResource, ResourceType, ResourceWatcher } from "./resource-type.ts";

/** A resource as it came. */
export interface Received {
  /** Undefined where the protocol has none beside the resource: then the one in it counts. */
  readonly name: string | undefined;
  /** The version to resume from; undefined where the protocol has none for each resource. */
  readonly version: string | undefined;
  readonly typeUrl: string;
  readonly bytes: Uint8Array;
}

/** What is known of a resource. */
type State<T> =
  /** No answer has come yet. */
  | { readonly t: "requested" }
  /** The last good one. */
  | {
      readonly t: "known";
      readonly value: T;
      /** What it was read from: state of the world sends it again with each change of another. */
      readonly bytes: Uint8Array;
      readonly version: string | undefined;
    }
  /** The control plane has none of this name. */
  | { readonly t: "missing"; readonly isStated: boolean };

interface Subscribed<T> {
  readonly watchers: Set<ResourceWatcher<T>>;
  state: State<T>;
  /** Why the newest one was rejected; undefined when it was not. */
  rejection: XdsError | undefined;
  /** Ends the wait for a first answer; undefined while there is none. */
  timer: AbortController | undefined;
  /** Whether the stream is not the first one, and has not answered yet. */
  isReturn: boolean;
}

/** The names of resources in a rejection are cut here, in characters. */
const maxNameLength = 200;

/** What is watched of one type of resource, and what is known of it. Survives streams, so that the next one resumes. */
export class Subscriptions<T = unknown> {
  readonly type: ResourceType<T>;
  /** The version of the last response that was accepted; empty for none, and for what came by delta. */
  stateVersion = "";
  readonly #where: string;
  readonly #clock: Clock;
  readonly #missingAfterMs: number;
  readonly #resources = new Map<string, Subscribed<T>>();
  /** The names that have lost a watcher since the last `prune`. */
  readonly #unwatched = new Set<string>();

  constructor(type: ResourceType<T>, where: string, clock: Clock, missingAfterMs: number) {
    this.type = type;
    this.#where = where;
    this.#clock = clock;
    this.#missingAfterMs = missingAfterMs;
  }

  get names(): readonly string[] {
    return [...this.#resources.keys()];
  }

  /**
   * Whether every resource is known, and the newest one of its name, so that a stream may resume by one version for all. Of a rejected one the
   * server is to say what it has now: it may be the last good one again.
   */
  get isKnown(): boolean {
    return [...this.#resources.values()].every(({ state, rejection }) => state.t === "known" && !rejection);
  }

  /** Whether no resource waits for its first answer. */
  get isAnswered(): boolean {
    return [...this.#resources.values()].every(({ state, rejection }) => state.t !== "requested" || rejection);
  }

  /** The versions of what is known, by name; not of what was rejected since, as for `isKnown`. */
  versions(): Record<string, string> {
    const versions: Record<string, string> = Object.create(null);
    for (const [name, { state, rejection }] of this.#resources) {
      if (state.t === "known" && state.version && !rejection) versions[name] = state.version;
    }
    return versions;
  }

  /**
   * Adds a watcher, which hears what is known. A resource without a watcher is kept until `prune`: if it is watched again before that, the
   * server has not heard of the change, and no request will be sent.
   *
   * @returns a function that removes the watcher
   */
  add(name: string, watcher: ResourceWatcher<T>): () => void {
    const known = this.#resources.get(name);
    const resource: Subscribed<T> = known ?? {
      watchers: new Set(),
      state: { t: "requested" },
      rejection: undefined,
      timer: undefined,
      isReturn: false,
    };
    this.#resources.set(name, resource);
    resource.watchers.add(watcher);
    if (resource.state.t === "known") watcher.onResource(resource.state.value, false);
    if (resource.state.t === "missing") watcher.onMissing(false, resource.state.isStated);
    if (resource.rejection) watcher.onError(resource.rejection);
    return () => {
      if (resource.watchers.delete(watcher)) this.#unwatched.add(name);
    };
  }

  /** Forgets what nobody watches any more. Called before the names are sent, and when there is no stream to send them on. */
  prune(): void {
    for (const name of this.#unwatched) {
      const resource = this.#resources.get(name);
      if (!resource || resource.watchers.size > 0) continue;
      stopTimer(resource);
      this.#resources.delete(name);
    }
    this.#unwatched.clear();
  }

  /** A stream has requested these names: what has no answer in time does not exist (gRFC A27). */
  onRequested(names: readonly string[]): void {
    for (const name of names) {
      const resource = this.#resources.get(name);
      if (resource?.state.t !== "requested" || resource.timer) continue;
      const timer = new AbortController();
      resource.timer = timer;
      void this.#clock.sleep(this.#missingAfterMs, timer.signal, { background: true }).then(() => {
        if (!timer.signal.aborted && resource.state.t === "requested" && !resource.rejection)
          this.#setMissing(resource, false);
      });
    }
  }

  /** The stream has ended: time without one does not count. */
  onDisconnected(): void {
    for (const resource of this.#resources.values()) {
      stopTimer(resource);
      resource.isReturn = resource.state.t !== "requested";
    }
  }

  /**
   * The stream is well.
   *
   * @param isSteady whether it has lasted so long that its next answer is not that of a control plane which has just started
   */
  onCurrent(isSteady: boolean): void {
    for (const resource of this.#resources.values()) {
      const { watchers, state, rejection } = resource;
      if (isSteady) resource.isReturn = false;
      if (state.t !== "requested" && !rejection) for (const watcher of [...watchers]) watcher.onCurrent();
    }
  }

  fail(error: XdsError): void {
    for (const { watchers } of this.#resources.values()) for (const watcher of [...watchers]) watcher.onError(error);
  }

  /**
   * Takes over a response. Its good resources are used even if others are not.
   *
   * @param removed the names that the control plane has no longer, or never had; `others`: all that are not in the response
   * @returns why it is rejected; undefined if it is accepted
   */
  receive(received: readonly Received[], removed: readonly string[] | "others"): string | undefined {
    const problems: string[] = [];
    const seen = new Set<string>();
    let nameless: XdsError | undefined;
    for (const { name: outer, version, typeUrl, bytes } of received) {
      let name = outer;
      let resource: Subscribed<T> | undefined;
      try {
        if (name !== undefined) {
          seen.add(name);
          resource = this.#resources.get(name);
          if (!resource) continue; // nobody watches it any more
        }
        if (typeUrl !== this.type.typeUrl) throw new Error(`its type is ${typeUrl}`);
        const decoded = this.type.decode(bytes);
        if (name !== undefined && decoded.name !== name) throw new Error("it has another name in itself");
        name = decoded.name;
        seen.add(name);
        resource = this.#resources.get(name);
        if (resource) this.#setKnown(resource, decoded, bytes, version);
      } catch (cause) {
        const shown = name === undefined ? "a resource" : printableLine(name, maxNameLength);
        const problem = `${shown}: ${printableLine(messageOf(cause), maxReasonLength)}`;
        problems.push(problem);
        const error = new XdsError("invalid", `control plane ${this.#where}: ${this.type.name} ${problem}`, { cause });
        if (resource) reject(resource, error);
        else nameless = error;
      }
    }
    const gone = removed === "others" ? this.names.filter((name) => !nameless && !seen.has(name)) : removed;
    for (const name of gone) {
      const resource = this.#resources.get(name);
      if (resource) this.#setMissing(resource, true);
    }
    // One of those without an answer may be the one that cannot be read.
    if (nameless) for (const [name, resource] of this.#resources) if (!seen.has(name)) reject(resource, nameless);
    if (problems.length === 0) return undefined;
    return `${problems.slice(0, 5).join("; ")}${problems.length > 5 ? `; and ${problems.length - 5} more` : ""}`;
  }

  /** @throws Error for a resource that cannot be used */
  #setKnown(
    resource: Subscribed<T>,
    decoded: DecodedResource<T>,
    bytes: Uint8Array,
    version: string | undefined,
  ): void {
    const { state, watchers, isReturn } = resource;
    const isSame = state.t === "known" && Buffer.compare(state.bytes, bytes) === 0;
    const value = isSame ? state.value : decoded.read();
    stopTimer(resource);
    resource.isReturn = false;
    resource.state = { t: "known", value, bytes, version };
    for (const watcher of [...watchers]) {
      if (isSame && !resource.rejection) watcher.onCurrent();
      else watcher.onResource(value, isReturn);
    }
    resource.rejection = undefined;
  }

  #setMissing(resource: Subscribed<T>, isStated: boolean): void {
    const { isReturn, watchers } = resource;
    stopTimer(resource);
    resource.state = { t: "missing", isStated };
    resource.rejection = undefined;
    resource.isReturn = false;
    for (const watcher of [...watchers]) watcher.onMissing(isReturn, isStated);
  }
}

function reject<T>(resource: Subscribed<T>, error: XdsError): void {
  stopTimer(resource);
  resource.rejection = error;
  for (const watcher of [...resource.watchers]) watcher.onError(error);
}

function stopTimer<T>(resource: Subscribed<T>): void {
  resource.timer?.abort();
  resource.timer = undefined;
}
