import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Address } from "../../src/core/snapshot.ts";
import { ChangeNotifier } from "../change-notifier.ts";
import { decodeQuestion, encodeAnswer, type RecordType, type ResponseCode, type ServiceRecord } from "./dns-message.ts";

/** The records of one name. */
export interface DnsRecords {
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  readonly SRV?: readonly ServiceRecord[];
  /** Default: 30. */
  readonly ttlSeconds?: number;
}

/** A fault of a name server. */
export type DnsFault =
  /** It answers with this code and without records. */
  | { readonly t: "code"; readonly code: Exclude<ResponseCode, "NOERROR">; readonly types?: readonly RecordType[] }
  /** It does not answer. */
  | { readonly t: "silence"; readonly types?: readonly RecordType[] }
  /** It first sends an answer with a wrong id; with `alone` it sends only that. */
  | { readonly t: "wrong-id"; readonly alone?: boolean; readonly types?: readonly RecordType[] };

/** A question that the server received. */
export interface DnsQuery {
  readonly type: RecordType | undefined;
  readonly name: string;
  readonly transport: "UDP" | "TCP";
}

/** The size limit of an answer over UDP (RFC 1035, 4.2.1). A longer one is truncated, and the client repeats the query over TCP. */
const udpBytes = 512;

/**
 * A fake name server on a port of 127.0.0.1, over UDP and TCP, with the records and faults that a test sets. The answer for a
 * name that has records of other types only is empty; for an unknown name it is NXDOMAIN.
 */
export class FakeDnsServer {
  /** All queries, in order. */
  readonly queries: DnsQuery[] = [];
  /** The fault of all answers from now on; undefined for none. */
  fault: DnsFault | undefined;
  readonly #names = new Map<string, DnsRecords>();
  readonly #changes = new ChangeNotifier();
  readonly #connections = new Set<Socket>();
  #port = 0;
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;

  /** Starts one on a free port of 127.0.0.1. */
  static async start(): Promise<FakeDnsServer> {
    const server = new FakeDnsServer();
    await server.start();
    return server;
  }

  /** Its address, which stays the same after a restart. */
  get address(): Address {
    return { host: "127.0.0.1", port: this.#port };
  }

  /** Replaces the records of a name. */
  set(name: string, records: DnsRecords): void {
    this.#names.set(name, records);
  }

  /** Removes a name. */
  delete(name: string): void {
    this.#names.delete(name);
  }

  /** Resolves when the server has received `count` queries in total. @throws Error with the counts after 20 s */
  untilQueries(count: number): Promise<void> {
    return this.#changes.until(
      ({ received, wanted }) => received >= wanted,
      () => ({ received: this.queries.length, wanted: count }),
    );
  }

  /** Listens, on the same port as before. */
  async start(): Promise<void> {
    for (;;) {
      const udp = createSocket("udp4").bind(this.#port, "127.0.0.1");
      await once(udp, "listening");
      const { port } = udp.address();
      const tcp = createServer((socket) => this.#serveTcp(socket)).listen(port, "127.0.0.1");
      try {
        await once(tcp, "listening");
      } catch (error) {
        udp.close();
        if (this.#port === 0 && (error as NodeJS.ErrnoException).code === "EADDRINUSE") continue; // the port is free for UDP only
        throw error;
      }
      udp.on("message", (message, { port: from }) => {
        for (const answer of this.#answer(message, "UDP")) udp.send(answer, from, "127.0.0.1");
      });
      this.#udp = udp;
      this.#tcp = tcp;
      this.#port = (tcp.address() as AddressInfo).port;
      return;
    }
  }

  /** Stops listening and ends all connections. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#udp) this.#udp.close(resolve);
    else resolve();
    const closed = this.#tcp?.listening ? once(this.#tcp.close(), "close") : undefined;
    for (const socket of this.#connections) socket.destroy();
    this.#udp = undefined;
    await Promise.all([promise, closed]);
  }

  #serveTcp(socket: Socket): void {
    this.#connections.add(socket);
    let received = Buffer.alloc(0);
    socket.on("error", () => {}); // the client has gone
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        for (const answer of this.#answer(received.subarray(2, end), "TCP")) {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(answer.length);
          socket.write(Buffer.concat([length, answer]));
        }
        received = received.subarray(end);
      }
    });
  }

  #answer(message: Buffer, transport: DnsQuery["transport"]): Buffer[] {
    const question = decodeQuestion(message);
    const { id, name, type } = question;
    this.queries.push({ type, name, transport });
    this.#changes.notify();
    const fault = this.fault?.types && !(type && this.fault.types.includes(type)) ? undefined : this.fault;
    if (fault?.t === "silence") return [];
    const known = this.#names.get(name);
    const code =
      fault?.t === "code" ? fault.code : known || hasChild(this.#names.keys(), name) ? "NOERROR" : "NXDOMAIN";
    const records = code === "NOERROR" && type ? (known?.[type] ?? []) : [];
    const answer = { id, code, isTruncated: false, ttlSeconds: known?.ttlSeconds ?? 30, records } as const;
    const full = encodeAnswer(question, answer);
    const isTruncated = transport === "UDP" && full.length > udpBytes;
    const right = isTruncated ? encodeAnswer(question, { ...answer, isTruncated }) : full;
    if (fault?.t !== "wrong-id") return [right];
    const wrong = encodeAnswer(question, { ...answer, id: id ^ 0xffff, records: [] });
    return fault.alone ? [wrong] : [wrong, right];
  }
}

/** A name that others end with exists, though it has no records of its own (RFC 8020). */
function hasChild(names: Iterable<string>, name: string): boolean {
  return [...names].some((each) => each.endsWith(`.${name}`));
}
