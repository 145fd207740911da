import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ClientRequest } from "node:http";
import type { ClientHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { messageOf, printableLine } from "@grpc-lb/core";

/**
 * What a client did, one JSON object a line. `connection` numbers the connections that carried calls, from 1; a call that failed
 * before it reached one has none. `ms` is the time that the call took.
 */
export type ClientEvent =
  | { readonly event: "call"; readonly ms: number; readonly pod: string; readonly connection?: number }
  | { readonly event: "call"; readonly ms: number; readonly error: string; readonly connection?: number }
  /** The connection carries its first call. `peer` is its remote address, which may be that of a Service or a proxy. */
  | { readonly event: "connection-opened"; readonly connection: number; readonly peer: string }
  | { readonly event: "goaway"; readonly connection: number }
  | { readonly event: "connection-closed"; readonly connection: number };

/** What is observed. */
export interface ObservedCalls {
  /** Makes one call and returns the name of the pod that answered. */
  call(): Promise<string>;
  /** The path of the calls' requests on the wire, which tells their connections from others, such as those of discovery. */
  readonly path: string;
}

/** Makes calls and reports them. */
export interface CallObserver {
  /** Makes one call, with the outcome of the observed one. */
  call(): Promise<string>;
  /** Ends the reports. */
  close(): void;
}

/** A call in flight. */
interface Flight {
  /** The connection that carried it, the last one when it was retried. */
  connection?: number;
}

/** Reports calls and the connections that carry them, as Node's diagnostics channels show them, whatever library makes the calls. */
export function observeCalls({ call, path }: ObservedCalls, report: (event: ClientEvent) => void): CallObserver {
  const context = new AsyncLocalStorage<Flight>();
  const flights = new Set<Flight>();
  const numbers = new WeakMap<object, number>();
  let last = 0;

  /** The flight of the request that is sent now. A library that queued the call may send it in the context of its connection. */
  const flight = () => {
    const own = context.getStore();
    if (own && flights.has(own)) return own;
    const waiting = [...flights].filter(({ connection }) => connection === undefined);
    return waiting.length === 1 ? waiting[0] : undefined;
  };
  const carry = (connection: object, socket: Socket | undefined, watch: (number: number) => void, own = flight()) => {
    let number = numbers.get(connection);
    if (number === undefined) {
      number = ++last;
      numbers.set(connection, number);
      const peer = `${socket?.remoteAddress ?? "unknown"}:${socket?.remotePort ?? 0}`;
      report({ event: "connection-opened", connection: number, peer });
      watch(number);
    }
    if (own) own.connection = number;
  };
  const carryBySocket = (socket: Socket | null) => {
    if (!socket) return;
    const own = flight();
    const watch = (connection: number) => {
      socket.once("close", () => report({ event: "connection-closed", connection }));
    };
    // The request may be written before the connection is up; one that is refused carries no call.
    if (socket.connecting) socket.once("connect", () => carry(socket, socket, watch, own));
    else carry(socket, socket, watch, own);
  };
  const channels: Readonly<Record<string, (message: never) => void>> = {
    "http2.client.stream.start": ({
      stream,
      headers,
    }: {
      stream: ClientHttp2Stream;
      headers: { ":path"?: string };
    }) => {
      const { session } = stream;
      if (!session || headers[":path"] !== path) return;
      carry(session, session.socket, (connection) => {
        // A graceful end sends two: https://www.rfc-editor.org/rfc/rfc9113#section-6.8
        session.once("goaway", () => report({ event: "goaway", connection }));
        session.once("close", () => report({ event: "connection-closed", connection }));
      });
    },
    "http.client.request.start": ({ request }: { request: ClientRequest }) => {
      if (request.path === path) carryBySocket(request.socket);
    },
    "undici:client:sendHeaders": ({ request, socket }: { request: { path: string }; socket: Socket }) => {
      if (request.path === path) carryBySocket(socket);
    },
  };
  for (const [name, take] of Object.entries(channels)) subscribe(name, take as (message: unknown) => void);

  return {
    call: () => {
      const own: Flight = {};
      const startedMs = performance.now();
      const end = (outcome: { readonly pod: string } | { readonly error: string }) => {
        flights.delete(own);
        const { connection } = own;
        const ms = Math.round((performance.now() - startedMs) * 10) / 10;
        report({ event: "call", ms, ...outcome, ...(connection !== undefined && { connection }) });
      };
      flights.add(own);
      return context.run(own, async () => {
        try {
          const pod = await call();
          end({ pod });
          return pod;
        } catch (error) {
          end({ error: printableLine(messageOf(error)) });
          throw error;
        }
      });
    },
    close() {
      for (const [name, take] of Object.entries(channels)) unsubscribe(name, take as (message: unknown) => void);
    },
  };
}
