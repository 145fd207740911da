import type { Any } from "@grpc-lb/protos/google/protobuf/any";
import type { Duration } from "@grpc-lb/protos/google/protobuf/duration";

/** A message of ts-proto, and the end of its type URL. */
interface MessageType<T> {
  encode(message: T): { finish(): Uint8Array };
}

/**
 * A message in an `Any`.
 *
 * @param name the full name of the message, such as `envoy.extensions.filters.http.router.v3.Router`
 */
export function pack<T>(name: string, type: MessageType<T>, message: T): Any {
  return { typeUrl: `type.googleapis.com/${name}`, value: Buffer.from(type.encode(message).finish()) };
}

/** Milliseconds as protobuf's duration. */
export function toDuration(ms: number): Duration {
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) };
}
