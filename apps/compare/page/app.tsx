import { useEffect, useMemo, useState } from "preact/hooks";
import { Actions } from "./actions.tsx";
import { Chart } from "./chart.tsx";
import { ClientPanel } from "./client-panel.tsx";
import { Feed, type FeedState } from "./feed.ts";
import { describeFeed } from "./format.ts";
import { PointSeries } from "./point-series.ts";
import type { PageState } from "./protocol.ts";
import { TimelineList } from "./timeline-list.tsx";
import { Traffic } from "./traffic.ts";

/** So many stand side by side in one row. */
const maxTallPanels = 2;
/** More panels are smaller, with pods as columns and without the chart. */
const maxLargePanels = 4;

/** The whole page. */
export function App() {
  const [feedState, setFeedState] = useState<FeedState>("connecting");
  const [state, setState] = useState<PageState>();
  const [isPaused, setPaused] = useState(false);
  const { traffic, series } = useMemo(() => ({ traffic: new Traffic(), series: new PointSeries() }), []);
  const feed = useMemo(
    () =>
      new Feed({
        onFeed: setFeedState,
        onState(next) {
          traffic.setPods(next.pods);
          series.setHappenings(next.happenings);
          setState(next);
        },
        onCalls: (calls) => traffic.add(calls),
        onHistory: (points) => series.replace(points),
        onPoint: (point) => series.add(point),
      }),
    [],
  );
  const togglePause = () => {
    feed.setPaused(!feed.isPaused);
    setPaused(feed.isPaused);
  };
  useEffect(() => traffic.setRunning(feedState === "live"), [feedState]);
  const isCrowded = state !== undefined && state.clients.length > maxLargePanels;
  const shownFeed = state?.hasEnded && feedState === "live" ? "ended" : feedState;

  return (
    <>
      <header>
        <h1>{state?.title || "grpc-lb live"}</h1>
        <Actions
          actions={state?.actions ?? []}
          isPaused={isPaused}
          onPause={togglePause}
          isLive={shownFeed === "live"}
        />
        <p class={`feed feed-${shownFeed}`} role="status">
          {describeFeed(shownFeed)}
        </p>
      </header>
      <main>
        {state ? (
          <>
            <div
              class={`panels${isCrowded ? " crowded" : ""}`}
              style={{ "--columns": state.clients.length <= 9 ? 3 : state.clients.length <= 16 ? 4 : 5 }}
            >
              {state.clients.map((client, index) => (
                <ClientPanel
                  key={client.name}
                  {...{ client, index, traffic, pods: state.pods, isCompact: isCrowded }}
                  isTall={state.clients.length <= maxTallPanels}
                />
              ))}
              {state.clients.length === 0 && <p class="start">Starting pods and clients …</p>}
            </div>
            <div class="below">
              <Chart names={state.clients.map(({ name }) => name)} series={series} />
              <TimelineList happenings={state.happenings} note={state.note} />
            </div>
          </>
        ) : (
          <p class="start">{describeFeed(feedState)}</p>
        )}
      </main>
    </>
  );
}
