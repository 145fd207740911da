import assert from "node:assert/strict";
import { type ClientDuplexStream, credentials, type ServiceError } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import {
  AggregatedDiscoveryServiceClient,
  DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DiscoveryRequest,
  type DiscoveryResponse,
} from "@grpc-lb/protos/envoy/service/discovery/v3";

/** A client of ADS that sends what a test says, and keeps what it gets. It answers nothing by itself. */
export class ScriptedClient<Q extends object, R extends { readonly typeUrl: string; readonly nonce: string }> {
  readonly responses: R[] = [];
  /** Why the stream ended; undefined while it has not. */
  error: ServiceError | undefined;
  readonly #client: AggregatedDiscoveryServiceClient;
  readonly #complete: (partial: Partial<Q>) => Q;
  readonly #call: ClientDuplexStream<Q, R>;
  #isFirst = true;
  #read = 0;

  constructor(
    client: AggregatedDiscoveryServiceClient,
    call: ClientDuplexStream<Q, R>,
    complete: (partial: Partial<Q>) => Q,
  ) {
    this.#client = client;
    this.#call = call;
    this.#complete = complete;
    call.on("data", (response: R) => this.responses.push(response));
    call.on("error", (error: ServiceError) => {
      this.error = error;
    });
  }

  /** Sends a request; the first one with a node. */
  send(request: Partial<Q>): void {
    const node = this.#isFirst ? { node: { id: "tester", cluster: "tests" } } : {};
    this.#isFirst = false;
    this.#call.write(this.#complete({ ...node, ...request }));
  }

  /** The next response. */
  async next(): Promise<R> {
    await until(() => this.responses.length > this.#read, `response ${this.#read + 1} of ${String(this.error)}`);
    const response = this.responses[this.#read];
    assert.ok(response);
    this.#read += 1;
    return response;
  }

  /** The next response, which it accepts. */
  async accept(more: Partial<Q> = {}): Promise<R> {
    const response = await this.next();
    this.send({ typeUrl: response.typeUrl, responseNonce: response.nonce, ...more } as Partial<Q>);
    return response;
  }

  /** The responses that were not read. */
  get unread(): number {
    return this.responses.length - this.#read;
  }

  /** Stops reading, or goes on: a frozen client. */
  setFrozen(isFrozen: boolean): void {
    if (isFrozen) this.#call.pause();
    else this.#call.resume();
  }

  /** Sends nothing more. */
  end(): void {
    this.#call.end();
  }

  close(): void {
    this.#call.cancel();
    this.#client.close();
  }
}

/** A client of the delta protocol. */
export function deltaClient(port: number) {
  const client = new AggregatedDiscoveryServiceClient(`127.0.0.1:${port}`, credentials.createInsecure());
  return new ScriptedClient<DeltaDiscoveryRequest, DeltaDiscoveryResponse>(
    client,
    client.deltaAggregatedResources(),
    (partial) => DeltaDiscoveryRequest.fromPartial(partial),
  );
}

/** A client of the state of the world. */
export function stateClient(port: number) {
  const client = new AggregatedDiscoveryServiceClient(`127.0.0.1:${port}`, credentials.createInsecure());
  return new ScriptedClient<DiscoveryRequest, DiscoveryResponse>(
    client,
    client.streamAggregatedResources(),
    (partial) => DiscoveryRequest.fromPartial(partial),
  );
}
