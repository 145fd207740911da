import { type CallLine, parseCallLine } from "@grpc-lb/verdict";
import type { LineLog } from "../scenes/scene-log.ts";
import type { Strategy } from "../strategies.ts";
import type { LivePage } from "./live-page.ts";

/** Passes the lines of one client to the page, and keeps none: a live page runs for hours. */
export class LiveLog implements LineLog {
  readonly strategy: Strategy;
  readonly #page: LivePage;
  #hasSucceeded = false;

  constructor(strategy: Strategy, page: LivePage) {
    this.strategy = strategy;
    this.#page = page;
  }

  get hasSucceeded(): boolean {
    return this.#hasSucceeded;
  }

  add(text: string): CallLine | undefined {
    this.#page.send({ t: "line", client: this.strategy.name, line: text });
    const line = parseCallLine(text);
    if (line?.t === "call") this.#hasSucceeded = true;
    return line;
  }
}
