import type { Clock } from "@grpc-lb/core";
import type {
  PageAction,
  PageCall,
  PageClient,
  PageHappening,
  PagePoint,
  PageState,
  PodState,
} from "../page/protocol.ts";
import { boundInput, boundNews } from "./bound-input.ts";
import { ClientLineReader, type ClientNews } from "./client-line.ts";
import { ClientStats } from "./client-stats.ts";
import { ConnectionBook } from "./connections.ts";
import type { Input } from "./input.ts";
import { maxPods, PodBook } from "./pod-book.ts";
import { Timeline } from "./timeline.ts";

interface Client {
  readonly index: number;
  readonly name: string;
  readonly way: string;
  readonly why: string;
  readonly reader: ClientLineReader;
  readonly stats: ClientStats;
  readonly connections: ConnectionBook;
}

const maxClients = 30;
/** Two minutes of the chart. */
const maxPoints = 120;
/** Calls that no page has taken yet; more than a second of them is not shown one by one. */
const maxWaitingCalls = 2_000;

/** All that is known of the comparison: takes the inputs, gives what the page shows. */
export class Board {
  readonly #clock: Clock;
  readonly #clients = new Map<string, Client>();
  readonly #pods = new PodBook();
  readonly #timeline = new Timeline();
  #startMs: number;
  #title = "";
  #note = "";
  #actions: readonly PageAction[] = [];
  #calls: PageCall[] = [];
  readonly #points: PagePoint[] = [];
  #hasEnded = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.now();
  }

  get actions(): readonly PageAction[] {
    return this.#actions;
  }

  /** The points of the chart so far, the oldest first. */
  get history(): readonly PagePoint[] {
    return this.#points;
  }

  /**
   * Takes an input; what is kept of it is bounded here, wherever it comes from.
   *
   * @throws Error for a line of a client that was not declared, or too many clients
   */
  take(given: Input): void {
    const input = boundInput(given);
    switch (input.t) {
      case "hello":
        this.#title = input.title;
        this.#actions = input.actions;
        break;
      case "client":
        this.#addClient(input);
        break;
      case "line": {
        const client = this.#clients.get(input.client);
        if (!client) throw new Error(`no client is named ${input.client}`);
        const news = client.reader.read(input.line);
        if (news) this.#takeNews(client, boundNews(news));
        break;
      }
      case "pod":
        this.#takePod(input.pod, input.state, input.node, input.zone);
        break;
      case "endpoints":
        this.#takeEndpoints(input.pods);
        break;
      case "scene":
        this.#happened("scene", input.text);
        break;
      case "note":
        this.#note = input.text;
        if (input.text !== "") this.#happened("note", input.text);
        break;
    }
  }

  /** What sends the inputs has ended. */
  end(): void {
    this.#hasEnded = true;
  }

  /** Takes the calls that ended since the last time. */
  takeCalls(): readonly PageCall[] {
    const calls = this.#calls;
    this.#calls = [];
    return calls;
  }

  /** Adds a point to the chart; called once a second. */
  addPoint(): PagePoint {
    const nowMs = this.#clock.now();
    const callsPerSecond = [...this.#clients.values()].map(({ stats }) => stats.succeededSince(nowMs - 1_000));
    const point = { atS: Math.round(nowMs / 1_000), callsPerSecond };
    this.#points.push(point);
    if (this.#points.length > maxPoints) this.#points.shift();
    return point;
  }

  snapshot(): PageState {
    return {
      title: this.#title,
      atMs: this.#clock.now(),
      actions: this.#actions,
      note: this.#note || (this.#pods.isFull ? `more than ${maxPods} pods: the others are not shown` : ""),
      pods: this.#pods.all,
      clients: [...this.#clients.values()].map((client) => this.#show(client)),
      happenings: this.#timeline.entries,
      hasEnded: this.#hasEnded,
    };
  }

  #addClient({ name, way, why, rule }: Extract<Input, { t: "client" }>): void {
    if (this.#clients.has(name)) return; // a sender that has restarted declares its clients again
    if (this.#clients.size >= maxClients) throw new Error(`more than ${maxClients} clients`);
    const parts = { reader: new ClientLineReader(), stats: new ClientStats(rule), connections: new ConnectionBook() };
    this.#clients.set(name, { index: this.#clients.size, name, way, why, ...parts });
    if (this.#clients.size === 1) this.#startMs = this.#clock.now();
  }

  #takeNews({ index, name, stats, connections }: Client, news: ClientNews): void {
    switch (news.t) {
      case "call": {
        const { error, ms, connection } = news;
        const atMs = this.#clock.now();
        const pod = news.pod === null ? null : this.#mention(news.pod);
        stats.add({ atMs, pod, ms }, error);
        if (connection !== null) connections.carry(connection, pod);
        if (this.#calls.length < maxWaitingCalls) this.#calls.push({ client: index, pod, ms, connection, atMs });
        break;
      }
      case "opened":
        connections.open(news.connection, news.peer);
        if (!connections.isOnePerCall)
          this.#happened("connection", `${name} opens connection ${news.connection} to ${news.peer}`);
        break;
      case "goaway":
        connections.goAway(news.connection);
        this.#happened("goaway", `${name} gets GOAWAY on connection ${news.connection}`);
        break;
      case "closed": {
        const closed = connections.close(news.connection);
        if (closed && !connections.isOnePerCall)
          this.#happened(
            "connection",
            `${name}: connection ${news.connection} is closed after ${closed.calls} call${closed.calls === 1 ? "" : "s"}`,
          );
        break;
      }
    }
  }

  #takePod(pod: string, state: PodState, node: string, zone: string): void {
    const before = this.#changePods(() => this.#pods.set(pod, state, node, zone));
    if (before === state || !this.#pods.has(pod)) return;
    this.#happened("pod", `${this.#pods.letterOf(pod)} ${pod} ${describeChange[state]}`);
  }

  /** @returns the name under which calls of a pod are counted */
  #mention(pod: string): string {
    return this.#pods.has(pod) ? pod : this.#changePods(() => this.#pods.mention(pod));
  }

  #takeEndpoints(pods: readonly string[]): void {
    const { added, removed } = this.#changePods(() => this.#pods.setEndpoints(pods));
    for (const pod of added) this.#happened("endpoints", `endpoint added: ${pod}`);
    for (const pod of removed) this.#happened("endpoints", `endpoint removed: ${pod}`);
  }

  /** Calls are judged again from the start when the pods that clients should call have changed. */
  #changePods<T>(change: () => T): T {
    const before = this.#pods.callable.join();
    const result = change();
    if (this.#pods.callable.join() !== before) {
      for (const { stats } of this.#clients.values()) stats.restart(this.#clock.now());
    }
    return result;
  }

  #happened(kind: PageHappening["kind"], text: string): void {
    this.#timeline.add(this.#clock.now(), kind, text);
  }

  #show({ name, way, why, reader, stats, connections }: Client): PageClient {
    const { calls, failed, lastError } = stats;
    const letterOf = (pod: string) => this.#pods.letterOf(pod);
    return {
      ...{ name, way, why, calls, failed, lastError },
      ...stats.rates(this.#clock.now(), this.#startMs),
      connections: reader.hasEvents ? connections.snapshot(letterOf) : null,
      verdict: stats.verdict(this.#pods.callable, letterOf),
    };
  }
}

const describeChange: Readonly<Record<PodState, string>> = {
  added: "is added",
  ready: "is ready",
  unready: "is not ready any more",
  slow: "is slow",
  frozen: "is frozen",
  draining: "is draining",
  gone: "is gone",
};
