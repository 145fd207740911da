import { formatShare } from "./format.ts";
import { choosePodLayout } from "./pod-layout.ts";
import { podLook, shortName } from "./pod-look.ts";
import type { PagePod, PageVerdict } from "./protocol.ts";

/** More are shown as columns, group by group. */
const maxRows = 6;

/** The pods, each with its share of the calls that are judged. */
export function Pods({
  pods,
  verdict,
  isCompact,
  isTall,
}: {
  pods: readonly PagePod[];
  verdict: PageVerdict;
  isCompact: boolean;
  isTall: boolean;
}) {
  const isDense = isCompact || pods.length > maxRows;
  const most = Math.max(0, ...Object.values(verdict.perLetter));
  const shareOf = ({ letter }: PagePod) => (verdict.perLetter[letter] ?? 0) / Math.max(1, verdict.calls);
  if (!isDense) {
    return (
      <ul class="pods" aria-label="Pods and their shares of the calls">
        {pods.map((pod) => (
          <li key={pod.name} class={`row state-${pod.state}`} data-pod={pod.name} title={describe(pod, shareOf(pod))}>
            <Badge pod={pod} />
            <span class="name">{pod.state === "ready" ? shortName(pod.name) : pod.state}</span>
            <span class="track">
              <span class={`bar ${podLook(pod.index).className}`} style={{ width: `${shareOf(pod) * 100}%` }} />
            </span>
            <span class="share">{formatShare(shareOf(pod))}</span>
          </li>
        ))}
      </ul>
    );
  }
  const { isSmall, groups } = choosePodLayout(pods, isTall);
  return (
    <div class={`groups${isSmall ? " many" : ""}`}>
      {groups.map(({ name, title, pods: members }) => (
        <div class="group" key={name}>
          {title !== "" && <h3 title={name}>{title}</h3>}
          <ul aria-label={`Pods ${name} and their shares of the calls`}>
            {members.map((pod) => (
              <li
                key={pod.name}
                class={`column state-${pod.state}`}
                data-pod={pod.name}
                title={describe(pod, shareOf(pod))}
              >
                <span class="track">
                  <span
                    class={`bar ${podLook(pod.index).className}`}
                    style={{ height: `${most === 0 ? 0 : ((verdict.perLetter[pod.letter] ?? 0) / most) * 100}%` }}
                  />
                </span>
                <Badge pod={pod} />
              </li>
            ))}
          </ul>
        </div>
      ))}
    </div>
  );
}

function Badge({ pod }: { pod: PagePod }) {
  return <b class={`badge pod-${podLook(pod.index).colour}`}>{pod.letter}</b>;
}

const describe = ({ letter, name, state, node, zone }: PagePod, share: number) =>
  [`${letter}: ${name}`, state, formatShare(share), node && `node ${node}`, zone && `zone ${zone}`]
    .filter(Boolean)
    .join(", ");
