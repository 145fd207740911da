import type { Server, ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";

type Stream = { end(): void; once(event: "close" | "cancelled" | "finish", listener: () => void): unknown };

/**
 * The open streams of a server's own services, such as health `Watch` and reflection. Only their client ends them, so a
 * graceful shutdown would wait for them until its deadline. Add services to this instead of to the server.
 */
export class OpenStreams {
  readonly #server: Server;
  readonly #open = new Set<Stream>();
  #hasEnded = false;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Adds a service to the server, and tracks its open streams. */
  addService(service: object, implementation: UntypedServiceImplementation): void {
    const definition = service as ServiceDefinition;
    const methods = Object.entries(definition);
    const tracked = Object.entries(implementation).map(([name, handler]) => {
      // As in grpc-js, a handler has the method's key or its name in the .proto file.
      const method = methods.find(([key, { originalName }]) => key === name || originalName === name)?.[1];
      if (!method?.responseStream) return [name, handler];
      const track = (call: Stream) => {
        this.#open.add(call);
        for (const event of ["close", "cancelled", "finish"] as const) call.once(event, () => this.#open.delete(call));
        (handler as (call: Stream) => void)(call);
        if (this.#hasEnded) call.end();
      };
      return [name, track];
    });
    this.#server.addService(definition, Object.fromEntries(tracked));
  }

  /** Ends every open stream with status OK, and each one that is opened later at once. */
  end(): void {
    this.#hasEnded = true;
    for (const stream of this.#open) stream.end();
  }
}
