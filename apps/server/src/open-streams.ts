import type { Server, ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";

type Stream = { end(): void; once(event: "close" | "cancelled" | "finish", listener: () => void): unknown };

/**
 * The streams that a server's own services keep open: health `Watch` and reflection. They end only when their client wants
 * it, so a graceful shutdown would wait for them until its deadline. Give services this instead of the server.
 */
export class OpenStreams {
  readonly #server: Server;
  readonly #open = new Set<Stream>();
  #hasEnded = false;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Adds a service to the server, noting each of its streams for as long as it is open. */
  addService(service: object, implementation: UntypedServiceImplementation): void {
    const definition = service as ServiceDefinition;
    const methods = Object.entries(definition);
    const noted = Object.entries(implementation).map(([name, handler]) => {
      // grpc-js finds a handler by the method's key or by its name in the .proto, and so must this.
      const method = methods.find(([key, { originalName }]) => key === name || originalName === name)?.[1];
      if (!method?.responseStream) return [name, handler];
      const note = (call: Stream) => {
        this.#open.add(call);
        for (const event of ["close", "cancelled", "finish"] as const) call.once(event, () => this.#open.delete(call));
        (handler as (call: Stream) => void)(call);
        if (this.#hasEnded) call.end();
      };
      return [name, note];
    });
    this.#server.addService(definition, Object.fromEntries(noted));
  }

  /** Ends every open stream with status OK, and each that is still opened at once. */
  end(): void {
    this.#hasEnded = true;
    for (const stream of this.#open) stream.end();
  }
}
