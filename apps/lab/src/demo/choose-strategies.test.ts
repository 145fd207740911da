import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chooseStrategies, describeSkipped, skipUnavailable } from "./choose-strategies.ts";
import { podPolicy } from "./expectations.ts";
import { createStrategies, type Strategy } from "./strategies.ts";

const all = createStrategies(podPolicy("least_request"));
const namesOf = (strategies: readonly Strategy[]) => strategies.map(({ name }) => name).join();

describe("strategies that are chosen", () => {
  for (const [text, want] of [
    [undefined, "http,clusterip,least_request,resolver"],
    ["all", "http,clusterip,least_request,resolver,etcd,consul,dns-poll,file"],
    ["file, http,file", "http,file"],
    ["least_request", "least_request"],
  ] as const) {
    it(`are ${want} for ${text ?? "no word of it"}`, () => {
      assert.equal(namesOf(chooseStrategies(all, text)), want);
    });
  }

  for (const text of ["", "round_robin", "file,", "all,file"]) {
    it(`are refused with the names there are when they are "${text}"`, () => {
      const known = "must be all or of http, clusterip, least_request, resolver, etcd, consul, dns-poll, file, got";
      assert.throws(() => chooseStrategies(all, text), { name: "RangeError", message: new RegExp(known) });
    });
  }

  it("are skipped when their registry is not on the machine, with the reason", async () => {
    const { strategies, skipped } = await skipUnavailable(all, async (name) =>
      name === "consul" ? "there is no consul on the PATH" : undefined,
    );
    assert.equal(namesOf(strategies), "http,clusterip,least_request,resolver,etcd,dns-poll,file");
    assert.equal(
      describeSkipped(skipped),
      "consul is skipped: there is no consul on the PATH; make doctor says how to get it",
    );
  });
});
