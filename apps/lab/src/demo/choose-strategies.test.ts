import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chooseStrategies, describeSkipped, skipUnavailable } from "./choose-strategies.ts";
import { createStrategies, type Strategy } from "./strategies.ts";

const all = createStrategies("least_request");
const namesOf = (strategies: readonly Strategy[]) => strategies.map(({ name }) => name).join();

const everyName =
  "http,clusterip,least_request,resolver,etcd,consul,dns-poll,file,max-age,envoy,nginx,haproxy,host-proxy,nodeport,loadbalancer,lookaside,xds,envoy-xds";

describe("--strategies", () => {
  for (const [text, want] of [
    [undefined, "http,clusterip,least_request,resolver"],
    ["all", everyName],
    ["file, http,file", "http,file"],
    ["least_request", "least_request"],
  ] as const) {
    it(`chooses ${want} when it is ${text ?? "absent"}`, () => {
      assert.equal(namesOf(chooseStrategies(all, text)), want);
    });
  }

  for (const text of ["", "round_robin", "file,", "all,file"]) {
    it(`rejects "${text}" and lists the known names`, () => {
      const known = `must be all or names of ${everyName.replaceAll(",", ", ")}, got`;
      assert.throws(() => chooseStrategies(all, text), { name: "RangeError", message: new RegExp(known) });
    });
  }

  it("skips a strategy whose program is not on the machine, and gives the reason", async () => {
    const { strategies, skipped } = await skipUnavailable(all, async (name) =>
      name === "consul" ? "consul is not on the PATH" : undefined,
    );
    assert.equal(namesOf(strategies), everyName.replace("consul,", ""));
    assert.equal(describeSkipped(skipped), "consul is skipped: consul is not on the PATH");
  });
});
