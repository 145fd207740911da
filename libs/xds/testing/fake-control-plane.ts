import { Metadata, Server, ServerCredentials, type ServerDuplexStream, status } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import {
  AggregatedDiscoveryServiceService as Ads,
  type DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  type DiscoveryRequest,
  DiscoveryResponse,
} from "@grpc-lb/protos/envoy/service/discovery/v3";
import { Relay } from "./relay.ts";

interface Resource {
  readonly bytes: Buffer;
  readonly version: string;
}

type Stream<Q, R> = ServerDuplexStream<Q, R>;

/** A request of a client, and the stream that it came by. */
export type SeenRequest =
  | { readonly t: "delta"; readonly stream: number; readonly request: DeltaDiscoveryRequest }
  | { readonly t: "sotw"; readonly stream: number; readonly request: DiscoveryRequest };

/**
 * A control plane on a port of this machine, for tests: serves any resources by both protocols of ADS, keeps what clients send, and
 * has the faults of a bad day. It serves what it is given, without a check.
 */
export class FakeControlPlane {
  /** Which protocols it has; the other one is UNIMPLEMENTED. */
  serves: { delta: boolean; sotw: boolean } = { delta: true, sotw: true };
  /** Whether it says, by delta, that it has no resource of a name; otherwise it says nothing. */
  tellsOfMissing = true;
  /** What is served for a name that it has not; undefined for nothing. */
  fallback: (typeUrl: string, name: string) => Uint8Array | undefined = () => undefined;
  /** The token that it requires; undefined for none. */
  token: string | undefined;
  /** All requests, in their order. */
  readonly requests: SeenRequest[] = [];
  readonly #server = new Server();
  readonly #resources = new Map<string, Map<string, Resource>>();
  readonly #pushes = new Set<(typeUrl: string) => void>();
  readonly #senders = new Set<(response: DeltaDiscoveryResponse) => void>();
  readonly #streams = new Set<{ pause(): void }>();
  #incarnation = Math.random().toString(36).slice(2);
  #relay: Relay | undefined;
  #versions = 0;
  #streamCount = 0;

  /** @param credentials default: no TLS */
  static async start(credentials = ServerCredentials.createInsecure()): Promise<FakeControlPlane> {
    const fake = new FakeControlPlane();
    fake.#server.addService(Ads, {
      deltaAggregatedResources: (stream: Stream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>) =>
        fake.#serve(stream, fake.serves.delta, () => fake.#serveDelta(stream)),
      streamAggregatedResources: (stream: Stream<DiscoveryRequest, DiscoveryResponse>) =>
        fake.#serve(stream, fake.serves.sotw, () => fake.#serveState(stream)),
    });
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    fake.#server.bindAsync("127.0.0.1:0", credentials, (error, port) => (error ? reject(error) : resolve(port)));
    fake.#relay = new Relay(await promise);
    await fake.#relay.start();
    return fake;
  }

  get port(): number {
    return this.relay.port;
  }

  /** Stops, freezes and starts it again, for its clients. */
  get relay(): Relay {
    if (!this.#relay) throw new Error("the control plane has not started");
    return this.#relay;
  }

  /** Streams that are open now. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Serves a resource, in place of the one of this name. */
  set(typeUrl: string, name: string, bytes: Uint8Array): void {
    const ofType = this.#resources.get(typeUrl) ?? new Map<string, Resource>();
    this.#resources.set(typeUrl, ofType);
    ofType.set(name, { bytes: Buffer.from(bytes), version: this.#nextVersion() });
    for (const push of this.#pushes) push(typeUrl);
  }

  delete(typeUrl: string, name: string): void {
    this.#resources.get(typeUrl)?.delete(name);
    this.#versions += 1;
    for (const push of this.#pushes) push(typeUrl);
  }

  /** Sends a response by delta to all clients, whatever it is. */
  send(response: Parameters<typeof DeltaDiscoveryResponse.fromPartial>[0]): void {
    for (const send of this.#senders) send(DeltaDiscoveryResponse.fromPartial(response));
  }

  /** Reads nothing more from the streams that are open, and still sends. */
  stopReading(): void {
    for (const stream of this.#streams) stream.pause();
  }

  /** Forgets all resources, and tells no client. */
  clear(): void {
    this.#resources.clear();
    this.#versions += 1;
  }

  /** Gives all resources new versions, as after a restart, and tells no client. */
  forgetVersions(): void {
    this.#incarnation = Math.random().toString(36).slice(2);
    for (const ofType of this.#resources.values()) {
      for (const [name, { bytes }] of ofType) ofType.set(name, { bytes, version: this.#nextVersion() });
    }
  }

  /** Resolves when this many streams are open. @throws AssertionError when that does not happen within 20 s */
  async untilStreams(count: number): Promise<void> {
    await until(() => this.#streams.size === count, `${count} streams`);
  }

  async close(): Promise<void> {
    await this.relay.stop();
    this.#server.forceShutdown();
  }

  #nextVersion = () => `${this.#incarnation}.${++this.#versions}`;

  #find(typeUrl: string, name: string): Resource | undefined {
    const found = this.#resources.get(typeUrl)?.get(name);
    const fallback = found ? undefined : this.fallback(typeUrl, name);
    return found ?? (fallback && { bytes: Buffer.from(fallback), version: `${this.#incarnation}.0` });
  }

  #serve<Q, R>(stream: Stream<Q, R>, isServed: boolean, serve: () => void): void {
    stream.on("error", () => {}); // the client has gone
    const given = stream.metadata.get("authorization")[0];
    const refuse = (code: status, details: string) => stream.emit("error", { code, details, metadata: new Metadata() });
    if (!isServed) refuse(status.UNIMPLEMENTED, "unknown method");
    else if (this.token !== undefined && given !== `Bearer ${this.token}`) {
      refuse(status.UNAUTHENTICATED, `wrong token: ${given}`);
    } else serve();
  }

  #track<Q, R>(stream: Stream<Q, R>, push: (typeUrl: string) => void): number {
    this.#streams.add(stream);
    this.#pushes.add(push);
    const leave = () => {
      this.#streams.delete(stream);
      this.#pushes.delete(push);
    };
    stream.on("end", () => {
      leave();
      stream.end();
    });
    for (const event of ["close", "cancelled", "error"]) stream.on(event, leave);
    return ++this.#streamCount;
  }

  #serveDelta(stream: Stream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>): void {
    /** By type and name: the version that the client has; empty for "has none, and knows it", undefined for "knows nothing". */
    const known = new Map<string, Map<string, string | undefined>>();
    let nonces = 0;
    const push = (typeUrl: string) => {
      const names = known.get(typeUrl) ?? new Map<string, string | undefined>();
      const response = DeltaDiscoveryResponse.fromPartial({ typeUrl, nonce: `${++nonces}` });
      for (const [name, version] of names) {
        const resource = this.#find(typeUrl, name);
        if (resource && resource.version !== version) {
          const { bytes: value } = resource;
          response.resources.push({ name, version: resource.version, resource: { typeUrl, value }, ttl: undefined });
        } else if (!resource && version !== "" && (this.tellsOfMissing || version !== undefined)) {
          response.removedResources.push(name);
        } else continue;
        names.set(name, resource?.version ?? "");
      }
      if (response.resources.length > 0 || response.removedResources.length > 0) stream.write(response);
    };
    const number = this.#track(stream, push);
    const send = (response: DeltaDiscoveryResponse) => stream.write(response);
    this.#senders.add(send);
    stream.on("close", () => this.#senders.delete(send));
    stream.on("data", (request: DeltaDiscoveryRequest) => {
      this.requests.push({ t: "delta", stream: number, request });
      const names = known.get(request.typeUrl) ?? new Map<string, string | undefined>();
      known.set(request.typeUrl, names);
      for (const name of request.resourceNamesUnsubscribe) names.delete(name);
      for (const name of request.resourceNamesSubscribe) names.set(name, request.initialResourceVersions[name]);
      if (request.resourceNamesSubscribe.length > 0) push(request.typeUrl);
    });
  }

  #serveState(stream: Stream<DiscoveryRequest, DiscoveryResponse>): void {
    const known = new Map<string, { names: string; version: string }>();
    let nonces = 0;
    const wanted = new Map<string, readonly string[]>();
    const push = (typeUrl: string) => {
      const names = wanted.get(typeUrl);
      if (!names) return;
      const versionInfo = `${this.#incarnation}.${this.#versions}`;
      const before = known.get(typeUrl);
      if (before?.names === names.join(" ") && before.version === versionInfo) return;
      known.set(typeUrl, { names: names.join(" "), version: versionInfo });
      const resources = names.flatMap((name) => {
        const resource = this.#find(typeUrl, name);
        return resource ? [{ typeUrl, value: resource.bytes }] : [];
      });
      stream.write(DiscoveryResponse.fromPartial({ typeUrl, versionInfo, nonce: `${++nonces}`, resources }));
    };
    const number = this.#track(stream, push);
    stream.on("data", (request: DiscoveryRequest) => {
      this.requests.push({ t: "sotw", stream: number, request });
      const { typeUrl, resourceNames, versionInfo } = request;
      if (!known.has(typeUrl) && versionInfo !== "") {
        known.set(typeUrl, { names: resourceNames.join(" "), version: versionInfo });
      }
      wanted.set(typeUrl, resourceNames);
      push(typeUrl);
    });
  }
}
