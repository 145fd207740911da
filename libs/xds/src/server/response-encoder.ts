import type { AnyRequest, Draft, Protocol } from "./protocol.ts";

/** A response as it is written. */
export interface EncodedResponse {
  readonly nonce: string;
  readonly bytes: Buffer;
}

interface Recent extends EncodedResponse {
  readonly draft: Draft;
  readonly version: string;
}

/**
 * Encodes the responses of a server. Clients that get the same response in the same turn of the event loop share its bytes and its nonce, so
 * that a change which all clients get is encoded once, and not copied for each. The nonces of a stream increase.
 */
export class ResponseEncoder<Q extends AnyRequest> {
  readonly protocol: Protocol<Q>;
  readonly #identifier: string;
  /** By type: the last response of this turn. */
  readonly #recent = new Map<string, Recent>();
  #lastNonce = 0;

  constructor(protocol: Protocol<Q>, identifier: string) {
    this.protocol = protocol;
    this.#identifier = identifier;
  }

  /**
   * @param version of all resources of the type
   * @param lastNonce the last nonce that the stream has used for the type; empty for none
   */
  encode(draft: Draft, typeUrl: string, version: string, lastNonce: string): EncodedResponse {
    const recent = this.#recent.get(typeUrl);
    const isNew = Number(recent?.nonce) > Number(lastNonce); // a nonce means one response on a stream
    if (recent && isNew && recent.version === version && isSame(recent.draft, draft)) return recent;
    this.#lastNonce += 1;
    const nonce = String(this.#lastNonce);
    const bytes = this.protocol.encode(draft, { typeUrl, nonce, version, identifier: this.#identifier });
    if (this.#recent.size === 0) setImmediate(() => this.#recent.clear());
    this.#recent.set(typeUrl, { draft, version, nonce, bytes });
    return { nonce, bytes };
  }
}

function isSame(a: Draft, b: Draft): boolean {
  return isEqual(a.resources, b.resources) && isEqual(a.removed, b.removed);
}

function isEqual<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}
