import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { EventStream, eventText, maxWatchers } from "./event-stream.ts";
import { type PageServer, servePage } from "./http.ts";
import { loadAssets } from "./page-assets.ts";

const stream = new EventStream();
const acted: string[] = [];
const kill = { name: "kill", label: "Kill", key: "k", help: "Kills a pod" };
let server: PageServer;
let url = "";

before(async () => {
  const assets = await loadAssets();
  server = await servePage({
    ...{ host: "127.0.0.1", port: 0, assets, stream },
    first: () => [eventText("state", { title: "Lab" })],
    actions: () => [kill],
    act: (name) => void acted.push(name),
  });
  url = `http://127.0.0.1:${server.port}`;
});

after(async () => {
  await server.close();
  await assertNothingLeft();
});

/** A request whose headers are written as given. */
async function ask(path: string, headers: Record<string, string>, method = "GET") {
  const sent = request(`${url}${path}`, { method, headers, agent: false }).end();
  const [response] = await once(sent, "response");
  const chunks: Buffer[] = await response.toArray();
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

test("the whole page is at most 120 kB compressed, and refers to nothing outside", async () => {
  const html = (await ask("/", {})).body.toString();
  const paths = ["/", ...[...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path)];
  assert.ok(paths.length >= 4, `${paths}`);
  let bytes = 0;
  for (const path of paths) {
    const { status, headers, body } = await ask(path, { "accept-encoding": "gzip, br" });
    assert.deepEqual([status, headers["content-encoding"]], [200, "gzip"], path);
    bytes += body.length;
  }
  assert.ok(bytes <= 120_000, `${bytes} bytes`);
});

test("scripts, styles and data come from this server only, and no other page may frame it", async () => {
  const { headers } = await ask("/", {});
  const policy = headers["content-security-policy"] ?? "";
  assert.match(policy, /default-src 'none'/);
  for (const part of ["script-src", "style-src", "connect-src", "img-src"])
    assert.ok(policy.includes(`${part} 'self'`));
  assert.match(policy, /frame-ancestors 'none'/);
  assert.equal(headers["x-content-type-options"], "nosniff");
});

test("an asset that the browser has is not sent again", async () => {
  const first = await ask("/page.js", {});
  const second = await ask("/page.js", { "if-none-match": first.headers.etag ?? "" });
  assert.deepEqual([second.status, second.body.length], [304, 0]);
});

test("a request that names another host is refused, for the page, the events and the actions", async () => {
  const headers = { host: "attacker.example", origin: "http://attacker.example" };
  for (const [path, method] of [
    ["/", "GET"],
    ["/events", "GET"],
    ["/actions/kill", "POST"],
  ] as const) {
    assert.equal((await ask(path, headers, method)).status, 403, path);
  }
  for (const name of ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
    assert.equal((await ask("/", { host: `${name}:${server.port}` })).status, 200, name);
  assert.deepEqual(acted, []);
});

test("actions are taken from the page only, and only those that there are", async () => {
  const status = async (path: string, headers: Record<string, string>) => (await ask(path, headers, "POST")).status;
  assert.equal(await status("/actions/kill", {}), 403);
  assert.equal(await status("/actions/kill", { origin: "http://attacker.example" }), 403);
  assert.equal(await status("/actions/other", { origin: url }), 404);
  assert.deepEqual(acted, []);
  assert.equal(await status("/actions/kill", { origin: url }), 202);
  assert.deepEqual(acted, ["kill"]);
});

test("a page that watches gets the state first and then every event", async () => {
  const sent = request(`${url}/events`, { agent: false }).end();
  const [response] = await once(sent, "response");
  let text = "";
  response.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  await until(() => text.includes('data: {"title":"Lab"}\n\n'), "the state");
  stream.send(eventText("point", { atS: 1 }));
  await until(() => text.endsWith('event: point\ndata: {"atS":1}\n\n'), "the point");
  response.destroy();
  await until(() => stream.watchers === 0, "the page is forgotten");
});

test("the head of the events is an answer that ends, and no page that watches", async () => {
  const { status, headers } = await ask("/events", {}, "HEAD");
  assert.deepEqual([status, headers["content-type"], stream.watchers], [200, "text/event-stream", 0]);
});

test("a page that does not read is cut, and there is a limit of pages", async () => {
  const deaf = connect(server.port, "127.0.0.1", () => deaf.write(`GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n`));
  deaf.pause().on("error", () => {});
  await until(() => stream.watchers === 1, "it watches");
  const long = eventText("calls", "x".repeat(100_000));
  await until(() => {
    stream.send(long);
    return stream.watchers === 0;
  }, "it is cut");
  deaf.destroy();
  const sent = Array.from({ length: maxWatchers }, () => request(`${url}/events`, { agent: false }).end());
  await until(() => stream.watchers === maxWatchers, "all watch");
  assert.equal((await ask("/events", {})).status, 503);
  for (const each of sent) each.on("error", () => {}).destroy();
  await until(() => stream.watchers === 0, "none watches");
});
