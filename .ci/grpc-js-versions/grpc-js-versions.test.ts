import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseVersions } from "./choose-versions.ts";
import { formatTable, replaceTable } from "./table.ts";

test("every version from 1.14 on is chosen, and the newest of 1.13 and 1.12; pre-releases are not", () => {
  const published = [
    "1.11.3",
    "1.12.0",
    "1.12.6",
    "1.13.4",
    "1.13.10",
    "1.14.0",
    "1.14.1",
    "1.15.0-pre1",
    "1.15.0",
    "2.0.0",
  ];
  assert.deepEqual(
    chooseVersions(published).map(({ version, isPeer }) => `${version} ${isPeer}`),
    ["1.12.6 false", "1.13.10 false", "1.14.0 true", "1.14.1 true", "1.15.0 true"],
  );
});

test("the table replaces the one before it, and nothing else of the page", () => {
  const row = { version: "1.14.0", isPeer: true, isOk: true, resolver: "ok", policies: "all 12 ok" };
  const table = formatTable([row]);
  assert.equal(table.split("\n").at(-1), "| 1.14.0 | yes | ok | all 12 ok |");
  const page = "# Title\n\n<!-- make grpc-js-versions writes from here -->\nold\n<!-- to here -->\n\nmore\n";
  const want = `# Title\n\n<!-- make grpc-js-versions writes from here -->\n\n${table}\n\n<!-- to here -->\n\nmore\n`;
  assert.equal(replaceTable(page, table), want);
  assert.equal(replaceTable(want, table), want);
  assert.throws(() => replaceTable("# Title\n", table), /the page has no lines/);
});
