import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

/** The bytes of the messages of measured services. */
const sizes = new WeakMap<object, number>();

/** The bytes of a message when it was serialized or parsed; undefined for one of a service that is not measured. */
export const sizeOf = (message: unknown): number | undefined =>
  typeof message === "object" && message !== null ? sizes.get(message) : undefined;

const note = (message: unknown, { length }: Buffer): void => {
  if (typeof message === "object" && message !== null) sizes.set(message, length);
};

/**
 * Has a service's messages measured, for the size metrics of `createServerMetrics`: grpc-js shows interceptors messages, not bytes.
 *
 * ```ts
 * server.addService(withMessageSizes(PodServiceService), handlers);
 * ```
 *
 * @returns a definition of the same service
 */
export function withMessageSizes<Definition extends ServiceDefinition>(definition: Definition): Definition {
  const measured = Object.entries(definition as Readonly<Record<string, MethodDefinition<unknown, unknown>>>).map(
    ([name, method]) => [
      name,
      {
        ...method,
        requestDeserialize: (bytes: Buffer) => {
          const message = method.requestDeserialize(bytes);
          note(message, bytes);
          return message;
        },
        responseSerialize: (message: unknown) => {
          const bytes = method.responseSerialize(message);
          note(message, bytes);
          return bytes;
        },
      },
    ],
  );
  return Object.fromEntries(measured) as Definition;
}
