import { useEffect, useState } from "preact/hooks";
import type { PageAction } from "./protocol.ts";

interface ActionsProps {
  readonly actions: readonly PageAction[];
  readonly isLive: boolean;
  readonly isPaused: boolean;
  readonly onPause: () => void;
}

const pauseKey = "p";

/** The buttons that change the pods, and the one that pauses the page; each has a key. */
export function Actions({ actions, isLive, isPaused, onPause }: ActionsProps) {
  const [problem, setProblem] = useState("");
  const act = async ({ name, label }: PageAction) => {
    const answer = await fetch(`/actions/${encodeURIComponent(name)}`, { method: "POST" }).catch(() => undefined);
    if (!answer) setProblem(`${label} did not reach the server`);
    else setProblem(answer.ok ? "" : `${label}: ${answer.status} ${(await answer.text()).trim().slice(0, 100)}`);
  };
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const action = isLive ? actions.find(({ key }) => key === event.key) : undefined;
      if (event.key === pauseKey) onPause();
      else if (action) void act(action);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  });
  return (
    <div class="actions" role="toolbar" aria-label="Change the pods">
      {actions.map((action) => (
        <button
          type="button"
          key={action.name}
          data-action={action.name}
          title={`${action.help} (key ${action.key})`}
          disabled={!isLive}
          onClick={() => void act(action)}
        >
          {action.label} <kbd>{action.key}</kbd>
        </button>
      ))}
      <button type="button" data-action="pause" aria-pressed={isPaused} onClick={onPause}>
        {isPaused ? "Go on" : "Pause"} <kbd>{pauseKey}</kbd>
      </button>
      {problem !== "" && <span role="alert">{problem}</span>}
    </div>
  );
}
