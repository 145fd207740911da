export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where the parts of a panel are, in CSS pixels of its stage. */
export interface Places {
  readonly source: Point;
  /** The left and the right end of each connection; `any` stands for those that are not shown one by one. */
  readonly connections: ReadonlyMap<string, readonly [Point, Point]>;
  readonly pods: ReadonlyMap<string, Point>;
}

/** Measures the parts of a panel by their `data-` attributes. */
export function measurePlaces(element: HTMLElement): Places {
  const origin = element.getBoundingClientRect();
  const ends = (part: Element): [Point, Point] => {
    const { left, right, top, height } = part.getBoundingClientRect();
    const y = top + height / 2 - origin.top;
    return [
      { x: left - origin.left, y },
      { x: right - origin.left, y },
    ];
  };
  const all = (name: string) =>
    [...element.querySelectorAll<HTMLElement>(`[data-${name}]`)].map(
      (part) => [part.dataset[name] ?? "", part] as const,
    );
  const [source] = all("source");
  return {
    source: source ? ends(source[1])[1] : { x: 0, y: 0 },
    connections: new Map(all("connection").map(([name, part]) => [name, ends(part)])),
    pods: new Map(all("pod").map(([name, part]) => [name, ends(part)[0]])),
  };
}

/** The point at a part of the way over the three legs, on the same curves as the lines. */
export function along([source, left, right, pod]: readonly [Point, Point, Point, Point], part: number): Point {
  const legs = [
    [source, left, 0.4],
    [left, right, 0.2],
    [right, pod, 0.4],
  ] as const;
  let rest = Math.min(1, Math.max(0, part));
  for (const [from, to, share] of legs) {
    if (rest <= share) return onCurve(from, to, rest / share);
    rest -= share;
  }
  return pod;
}

function onCurve(from: Point, to: Point, t: number): Point {
  const middle = (from.x + to.x) / 2;
  const [a, b, c, d] = [(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t ** 2, t ** 3];
  return { x: a * from.x + b * middle + c * middle + d * to.x, y: (a + b) * from.y + (c + d) * to.y };
}
