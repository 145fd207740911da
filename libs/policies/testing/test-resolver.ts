/**
 * The one file of the rig that touches grpc-js's `experimental` API by itself: a resolver is no part of this library, and the
 * one of `@grpc-lb/resolver` stands above it.
 */
import { type ChannelOptions, experimental, status } from "@grpc/grpc-js";
import type { GrpcEndpoint } from "../src/grpc-js.ts";

type Listener = experimental.ResolverListener;
export type ServiceConfig = Extract<NonNullable<Parameters<Listener>[2]>, { ok: true }>["value"];

/** What goes with endpoints, or with their absence. */
export interface Beside {
  /** Default: the channel's own. */
  readonly config?: ServiceConfig;
  readonly note?: string;
  readonly attributes?: ChannelOptions;
}

const targets = new Map<string, TestTarget>();
let isRegistered = false;

/** What a target resolves to: what the test has said last. */
export class TestTarget {
  readonly uri: string;
  /** How often a channel has asked to look again. */
  reresolutions = 0;
  readonly #name: string;
  readonly #listeners = new Set<Listener>();
  #tell: ((listener: Listener) => boolean) | undefined;

  /** @param name each test wants one of its own */
  constructor(name: string) {
    if (!isRegistered) experimental.registerResolver("test", TestResolver);
    isRegistered = true;
    this.#name = name;
    this.uri = `test:///${name}`;
    targets.set(name, this);
  }

  /** @returns what the channels' policies have said of it; false means that their calls hang */
  publish(endpoints: readonly GrpcEndpoint[], { config, note = "", attributes = {} }: Beside = {}): boolean[] {
    return this.#say((listener) =>
      listener(
        experimental.statusOrFromValue([...endpoints]),
        { ...attributes },
        config ? experimental.statusOrFromValue(config) : null,
        note,
      ),
    );
  }

  fail(details: string): boolean[] {
    const error = experimental.statusOrFromError<GrpcEndpoint[]>({ code: status.UNAVAILABLE, details });
    return this.#say((listener) => listener(error, {}, null, ""));
  }

  subscribe(listener: Listener): void {
    if (this.#listeners.has(listener)) {
      this.reresolutions += 1;
      return;
    }
    this.#listeners.add(listener);
    this.#tell?.(listener);
  }

  unsubscribe(listener: Listener): void {
    this.#listeners.delete(listener);
  }

  close(): void {
    targets.delete(this.#name);
  }

  #say(tell: (listener: Listener) => boolean): boolean[] {
    this.#tell = tell;
    return [...this.#listeners].map(tell);
  }
}

class TestResolver implements experimental.Resolver {
  readonly #target: TestTarget | undefined;
  readonly #listener: Listener;

  constructor(uri: experimental.GrpcUri, listener: Listener) {
    this.#target = targets.get(uri.path);
    this.#listener = listener;
  }

  updateResolution(): void {
    this.#target?.subscribe(this.#listener);
  }

  destroy(): void {
    this.#target?.unsubscribe(this.#listener);
  }

  static getDefaultAuthority(): string {
    return "localhost";
  }
}
