import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { widthOf } from "../terminal/line.ts";
import { paint } from "../terminal/paint.ts";
import type { FleetServer, ServerKind } from "./fleet.ts";
import { comparedPolicies, type PoliciesPlan } from "./plan.ts";
import { createRow } from "./row.ts";
import { formatShare, renderBusy, renderNotes, Table } from "./table.ts";

const kinds: readonly ServerKind[] = ["good", "good", "good", "slow", "failing", "frozen"];
const servers = kinds.map((kind, i): FleetServer => {
  return { kind, podName: `${kind}-${i}`, pid: i, httpPort: 0, grpcPort: 100 + i };
});
const plan: PoliciesPlan = {
  policies: ["random", "weighted_round_robin"],
  rateHz: 500,
  durationMs: 3_000,
  warmUpMs: 1_500,
  deadlineMs: 300,
  seed: 1,
  hasOutlierDetection: false,
};
const row = createRow(
  "random",
  {
    calls: 1_000,
    perPeer: {
      "127.0.0.1:100": 300,
      "127.0.0.1:101": 250,
      "127.0.0.1:102": 250,
      "127.0.0.1:103": 196,
      "127.0.0.1:105": 4,
    },
    statuses: { OK: 996, DEADLINE_EXCEEDED: 4 },
    p50Ms: 11.4,
    p99Ms: 101.6,
    lagP99Ms: 1,
  },
  servers,
);

describe("a row", () => {
  it("has the shares of the kinds of servers, and of the busiest one", () => {
    assert.deepEqual(row.shares, { good: 0.8, slow: 0.196, failing: 0, frozen: 0.004 });
    assert.deepEqual([row.busiest, row.errors], [0.3, 0.004]);
    assert.equal(row.perServer["failing-4"], 0);
  });
});

describe("the table", () => {
  it("is aligned, with units", () => {
    const table = new Table(plan.policies, 100);
    assert.deepEqual(
      [...table.header, table.row(row)].map((line) => paint(line, false)),
      [
        " policy                3 good  busiest    slow  failing  frozen  errors     p50     p99",
        ` ${"─".repeat(86)}`,
        " random                  80 %     30 %    20 %      0 %   0.4 %   0.4 %   11 ms  102 ms",
      ],
    );
  });

  it("has a dash for a latency without successful calls", () => {
    const text = paint(new Table(["random"], 100).row({ ...row, p50Ms: null, p99Ms: null, errors: 1 }), false);
    assert.match(text, / 100 % {7}- {7}-$/);
  });

  it("omits the column busiest on a narrow terminal, and is never wider than the terminal", () => {
    assert.doesNotMatch(paint(new Table(plan.policies, 80).header[0] ?? [], false), /busiest/);
    for (let width = 3; width <= 140; width++) {
      const table = new Table(plan.policies, width);
      const widest = Math.max(
        ...[
          ...table.header,
          table.row(row),
          ...renderNotes(plan, width),
          ...renderBusy([{ ...row, lagP99Ms: 40 }], width),
        ].map(widthOf),
      );
      assert.ok(widest <= width, `${width} columns: a line of ${widest} cells`);
    }
  });
});

describe("a share", () => {
  it("has a decimal when it is small, and is 0 % or 100 % only when it is exact", () => {
    for (const [share, want] of [
      [0, "0 %"],
      [0.0004, "0.0 %"],
      [0.0944, "9.4 %"],
      [0.0996, "10 %"],
      [0.5, "50 %"],
      [0.998, "99.8 %"],
      [1, "100 %"],
    ] as const) {
      assert.equal(formatShare(share), want);
    }
  });
});

describe("the notes", () => {
  const textOf = (changes: Partial<PoliciesPlan>) =>
    renderNotes({ ...plan, ...changes }, 1_000)
      .map((line) => paint(line, false))
      .join("\n");

  it("are about the policies that are compared, and no others", () => {
    assert.match(textOf({}), /weighted_round_robin: load reports/);
    assert.doesNotMatch(textOf({}), /hash/);
    assert.match(textOf({ policies: ["maglev"] }), /maglev, source_hash: each of 1000 keys/);
    assert.doesNotMatch(textOf({ policies: ["maglev"] }), /weighted_round_robin/);
  });

  it("say why pick_first is the last row", () => {
    assert.equal(comparedPolicies.at(-1), "pick_first");
    assert.match(textOf({ policies: ["pick_first"] }), /pick_first: the last row, because it is luck/);
  });

  it("fit on 80x24 with the start of the table, and so does the whole table", () => {
    const all = { ...plan, policies: comparedPolicies };
    const table = new Table(comparedPolicies, 79);
    const below = [...table.header, ...comparedPolicies.map((policy) => table.row({ ...row, policy }))];
    assert.ok(below.length + renderBusy([{ ...row, lagP99Ms: 40 }], 79).length < 23, `${below.length} lines`);
    // The command, two blank lines, the header and the progress need six lines.
    assert.ok(renderNotes(all, 79).length <= 18, `${renderNotes(all, 79).length} lines of notes`);
  });
});

describe("the warning of a busy machine", () => {
  const textOf = (lagP99Ms: number) =>
    renderBusy([{ ...row, lagP99Ms }], 1_000)
      .map((line) => paint(line, false))
      .join("\n");

  it("is shown when calls started late", () => {
    assert.equal(textOf(1), "");
    assert.match(textOf(40), /^ ?\n? The machine was busy: 1 of 100 calls started 40 ms late or more/);
  });
});
