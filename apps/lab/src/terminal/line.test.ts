import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bar, fit, type Line, sideBySide, span, spread, wrap } from "./line.ts";
import { paint } from "./paint.ts";

const text = (line: Line) => line.map((part) => part.text).join("");

describe("a line", () => {
  it("is cut with an ellipsis or padded to the given width", () => {
    const line = [span("ab", "strong"), span("cdef")];
    const want = ["", "…", "a…", "ab…", "abc…", "abcd…", "abcdef", "abcdef "];
    assert.deepEqual(
      want.map((_, width) => text(fit(line, width))),
      want,
    );
  });

  it("is aligned to both ends, and its left part is cut first", () => {
    assert.equal(text(spread([span("left")], [span("right")], 12)), "left   right");
    assert.equal(text(spread([span("left")], [span("right")], 8)), "l… right");
  });

  it("is wrapped between words, but not at a no-break space", () => {
    assert.deepEqual(wrap("one two\u00a02 three", 9).map(text), ["one two 2", "three"]);
    assert.deepEqual(wrap("unbreakable", 5).map(text), ["unbr…"]);
  });

  it("is joined with others side by side, at equal widths", () => {
    const rows = sideBySide([[[span("a")], [span("b")]], [[span("c")]]], 3, 1);
    assert.deepEqual(rows.map(text), ["a   c  ", "b      "]);
  });

  it("is painted without trailing blanks, and without escape codes when colours are off", () => {
    const line = [span("a", "good"), span(" b "), span("c ", { pod: 0 }), span("   ")];
    assert.equal(paint(line, false), "a b c");
    assert.equal(paint(line, true), "\x1b[1;32ma\x1b[0m b \x1b[38;5;38mc\x1b[0m");
  });
});

describe("a bar", () => {
  it("is exact to an eighth of a cell", () => {
    assert.deepEqual(
      [0, 1 / 16, 0.5, 1, 2].map((share) => bar(share, 2)),
      ["", "▏", "█", "██", "██"],
    );
  });
});
