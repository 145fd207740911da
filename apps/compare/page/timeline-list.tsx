import { formatTime } from "./format.ts";
import type { PageHappening } from "./protocol.ts";

const signs: Readonly<Record<PageHappening["kind"], string>> = {
  pod: "■",
  endpoints: "≡",
  connection: "⇄",
  goaway: "⇥",
  scene: "▶",
  note: "i",
};

/** What happened, the latest first. */
export function TimelineList({ happenings, note }: { happenings: readonly PageHappening[]; note: string }) {
  return (
    <section class="timeline" aria-label="Timeline">
      {note !== "" && (
        <p class="note" role="status">
          {note}
        </p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <ol tabIndex={0} aria-label="What happened, the latest first">
        {happenings.toReversed().map(({ id, atMs, kind, text }) => (
          <li key={id} class={`kind-${kind}`}>
            <time>{formatTime(atMs)}</time>
            <span class="sign" aria-hidden="true">
              {signs[kind]}
            </span>
            <span>{text}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
