import type { FeedState } from "./feed.ts";

const feeds: Readonly<Record<FeedState | "ended", string>> = {
  connecting: "connecting …",
  live: "live",
  cut: "cut off: connecting again …",
  paused: "paused",
  ended: "the comparison has ended",
};

/** What the person reads about the connection to the server. */
export const describeFeed = (state: FeedState | "ended") => feeds[state];

/** `0.8 ms`, `12 ms`, `1.2 s`; a dash for an unknown time. */
export function formatMs(ms: number | null): string {
  if (ms === null) return "–";
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** `0:42` since the start. */
export function formatTime(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** `33 %`. */
export const formatShare = (share: number) => `${Math.round(share * 100)} %`;
