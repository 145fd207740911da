import { RangeRequest, WatchCreateRequest, type WatchRequest } from "@grpc-lb/protos/etcd/api/etcdserverpb";

/** All keys that begin with a prefix. */
export class KeyRange {
  readonly #key: Buffer;
  readonly #end: Buffer;

  /** @param prefix ends with a slash, so that its last byte can be counted up */
  constructor(prefix: string) {
    this.#key = Buffer.from(prefix);
    this.#end = Buffer.from(this.#key);
    this.#end.writeUInt8((this.#end.at(-1) ?? 0) + 1, this.#end.length - 1);
  }

  request(): RangeRequest {
    return RangeRequest.fromPartial({ key: this.#key, rangeEnd: this.#end });
  }

  watchRequest(startRevision: bigint): WatchRequest {
    const value = WatchCreateRequest.fromPartial({
      key: this.#key,
      rangeEnd: this.#end,
      startRevision,
      progressNotify: true,
    });
    return { requestUnion: { $case: "createRequest", value } };
  }
}
