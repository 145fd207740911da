import type { StoredService, StoredSlice } from "./slices.ts";

/** The resources that the fake has. */
export type Resource = "endpointslices" | "services";
export type Stored = StoredSlice | StoredService;

/** A change, as a watch sends it. */
export interface StoredEvent {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly resource: Resource;
  readonly object: Stored;
}

/** The objects that a request selects. */
export interface Selection {
  readonly resource: Resource;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The only name that is selected, by `fieldSelector=metadata.name=…`. */
  readonly fieldName: string | undefined;
}

/** The etcd of the fake: objects, a version that grows with each change, and the changes since the last compaction. */
export class FakeStore {
  readonly #objects = new Map<string, Stored>();
  #events: StoredEvent[] = [];
  #version: number;
  #compactedAt = 0;

  /** @param version the first version; a new etcd starts at 1 */
  constructor(version = 1_000) {
    this.#version = version;
  }

  get version(): number {
    return this.#version;
  }

  put(resource: Resource, object: Stored): StoredEvent {
    const key = keyOf(resource, object.metadata.namespace, object.metadata.name);
    const type = this.#objects.has(key) ? "MODIFIED" : "ADDED";
    const stored = this.#stamp(object);
    this.#objects.set(key, stored);
    return this.#record({ version: this.#version, type, resource, object: stored });
  }

  delete(resource: Resource, namespace: string, name: string): StoredEvent | undefined {
    const key = keyOf(resource, namespace, name);
    const object = this.#objects.get(key);
    if (!object) return undefined;
    this.#objects.delete(key);
    const stored = this.#stamp(object);
    return this.#record({ version: this.#version, type: "DELETED", resource, object: stored });
  }

  get(resource: Resource, namespace: string, name: string): Stored | undefined {
    return this.#objects.get(keyOf(resource, namespace, name));
  }

  list(selection: Selection): readonly Stored[] {
    return [...this.#objects]
      .filter(([key, object]) => key.startsWith(`${selection.resource}/`) && isSelected(object, selection))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
  }

  /** The changes after a version; undefined if they are compacted. */
  eventsAfter(version: number): readonly StoredEvent[] | undefined {
    if (version < this.#compactedAt) return undefined;
    return this.#events.filter((event) => event.version > version);
  }

  /** Forgets all changes so far, and increases the version, so that every earlier version is too old. */
  compact(): void {
    this.#version += 1;
    this.#compactedAt = this.#version;
    this.#events = [];
  }

  #stamp<T extends Stored>(object: T): T {
    this.#version += 1;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }

  #record(event: StoredEvent): StoredEvent {
    this.#events.push(event);
    return event;
  }
}

export function isSelected({ metadata }: Stored, { namespace, labels, fieldName }: Selection): boolean {
  if (fieldName !== undefined && metadata.name !== fieldName) return false;
  const own = (metadata as { readonly labels?: Readonly<Record<string, string>> }).labels ?? {};
  return metadata.namespace === namespace && Object.entries(labels).every(([name, value]) => own[name] === value);
}

function keyOf(resource: Resource, namespace: string, name: string): string {
  return `${resource}/${namespace}/${name}`;
}
