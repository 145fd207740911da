import { systemClock } from "@grpc-lb/core";
import { ProcessGroup } from "../../processes/process-group.ts";
import { describeSkipped, type SkippedStrategy } from "../choose-strategies.ts";
import { Hands } from "../scenes/hands.ts";
import { runScene, type ScenePlan } from "../scenes/run-scene.ts";
import type { Strategy } from "../strategies.ts";
import { liveActions } from "./live-actions.ts";
import { LiveLog } from "./live-log.ts";
import { LiveObserver } from "./live-observer.ts";
import { startLivePage } from "./live-page.ts";

/** What runs, and where the page is served. */
export interface LiveOptions {
  readonly plan: ScenePlan;
  readonly strategies: readonly Strategy[];
  readonly skipped: readonly SkippedStrategy[];
  /** 0 for a free one. */
  readonly port: number;
  readonly signal: AbortSignal;
  write(text: string): void;
}

/**
 * Runs the strategies side by side and serves their live page until `signal` is aborted. The page's buttons change the pods.
 *
 * @throws ProgramError when a process does not start or exits by itself (exit code 1)
 */
export async function runLive({ plan, strategies, skipped, port, signal, write }: LiveOptions): Promise<void> {
  const clock = systemClock;
  const group = new ProcessGroup();
  const ended = new AbortController();
  let hands: Hands | undefined;
  let showNote: (text: string) => void = () => {};
  const onAction = (name: string) => {
    showNote(hands ? "" : "the clients still start");
    const action = liveActions.find((each) => each.name === name);
    if (action) hands?.press(action.key);
  };
  try {
    const page = await startLivePage(group, { port, clock, signal }, onAction);
    showNote = (text) => page.send({ t: "note", text });
    page.send({ t: "hello", title: "Where do the calls go?", actions: liveActions });
    for (const { name, way, why, rule } of strategies) page.send({ t: "client", name, way, why, rule });
    for (const each of skipped) page.send({ t: "scene", text: describeSkipped([each]) });
    write(`${page.url}\n`);
    const run = runScene({
      plan,
      logs: strategies.map((strategy) => new LiveLog(strategy, page)),
      observer: new LiveObserver(page),
      clientFlags: ["--events"],
      clock,
      signal: AbortSignal.any([signal, ended.signal]),
      async direct(fleet) {
        showNote("");
        write("every client calls; Ctrl-C ends\n");
        hands = new Hands(fleet, showNote);
        await hands.ended;
      },
    });
    try {
      await Promise.race([run, group.failed]);
    } finally {
      ended.abort();
      await Promise.allSettled([run]);
    }
  } catch (error) {
    if (!signal.aborted) throw error; // being stopped is how it ends
  } finally {
    await group.close();
  }
}
