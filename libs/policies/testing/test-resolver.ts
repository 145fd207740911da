/**
 * The only other file that uses grpc-js's `experimental` API: this library has no resolver, and `@grpc-lb/resolver` is in a higher
 * layer.
 */
import { type ChannelOptions, experimental, status } from "@grpc/grpc-js";
import type { GrpcEndpoint } from "../src/grpc-js.ts";

type Listener = experimental.ResolverListener;
export type ServiceConfig = Extract<NonNullable<Parameters<Listener>[2]>, { ok: true }>["value"];

/** What a resolver publishes with endpoints. */
export interface PublishOptions {
  /** Default: the channel's own. */
  readonly config?: ServiceConfig;
  readonly note?: string;
  readonly attributes?: ChannelOptions;
}

const targets = new Map<string, TestTarget>();
let isRegistered = false;

/** A target that resolves to what the test has published last. */
export class TestTarget {
  readonly uri: string;
  /** The number of requested resolutions. */
  reresolutions = 0;
  readonly #name: string;
  readonly #listeners = new Set<Listener>();
  #publish: ((listener: Listener) => boolean) | undefined;

  /** @param name unique per test */
  constructor(name: string) {
    if (!isRegistered) experimental.registerResolver("test", TestResolver);
    isRegistered = true;
    this.#name = name;
    this.uri = `test:///${name}`;
    targets.set(name, this);
  }

  /** @returns whether each channel's policy has accepted the update; if not, its calls hang */
  publish(endpoints: readonly GrpcEndpoint[], { config, note = "", attributes = {} }: PublishOptions = {}): boolean[] {
    return this.#publishAll((listener) =>
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
    return this.#publishAll((listener) => listener(error, {}, null, ""));
  }

  subscribe(listener: Listener): void {
    if (this.#listeners.has(listener)) {
      this.reresolutions += 1;
      return;
    }
    this.#listeners.add(listener);
    this.#publish?.(listener);
  }

  unsubscribe(listener: Listener): void {
    this.#listeners.delete(listener);
  }

  close(): void {
    targets.delete(this.#name);
  }

  #publishAll(publish: (listener: Listener) => boolean): boolean[] {
    this.#publish = publish;
    return [...this.#listeners].map(publish);
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
