import { malformed } from "./protocol.ts";

/**
 * A streaming method with responses that are encoded already, and with requests that may be `malformed`: grpc-js would end the call by
 * itself, and a response that is sent in that moment would leave it without an end.
 */
export function prepareMethod<Q, M extends { readonly requestDeserialize: (bytes: Buffer) => Q }>(method: M) {
  return {
    ...method,
    responseSerialize: (bytes: Buffer) => bytes,
    requestDeserialize(bytes: Buffer): Q | typeof malformed {
      try {
        return method.requestDeserialize(bytes);
      } catch {
        return malformed; // what the decoder says is of no use to a client
      }
    },
  };
}
