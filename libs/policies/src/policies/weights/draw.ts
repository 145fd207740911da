import type { Random } from "@grpc-lb/core";
import type { AliasTable } from "./alias-table.ts";

/** After so many draws of the same the others weigh next to nothing. */
const mostRedraws = 8;

/**
 * Draws another than the one that is taken, by weight. With repetition, of three endpoints the worst would be compared with
 * itself in every ninth pair, and take that call.
 *
 * @param count how many there are; with one there is no other
 */
export function drawOther(table: AliasTable, random: Random, taken: number, count: number): number {
  if (count === 2) return 1 - taken;
  for (let redraw = 0; redraw < mostRedraws; redraw++) {
    const drawn = table.pick(random());
    if (drawn !== taken) return drawn;
  }
  return (taken + 1) % count;
}
