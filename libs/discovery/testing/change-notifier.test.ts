import assert from "node:assert/strict";
import { test } from "node:test";
import { ChangeNotifier } from "./change-notifier.ts";
import { FakeConsulAgent } from "./consul/fake-agent.ts";
import { FakeDnsServer } from "./dns/fake-dns-server.ts";
import { FakeApiServer } from "./kubernetes/fake-api-server.ts";

test("a wait resolves after the change that fulfils its condition, and after no other", async () => {
  const changes = new ChangeNotifier();
  let requests = 0;
  let isFulfilled = false;
  const waiting = changes
    .until(
      (count) => count === 2,
      () => requests,
    )
    .then(() => {
      isFulfilled = true;
    });
  for (const expected of [false, true]) {
    requests += 1;
    changes.notify();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isFulfilled, expected);
  }
  await waiting;
});

for (const [name, start, wait] of [
  ["Kubernetes", () => FakeApiServer.start(), (api: FakeApiServer) => api.until(({ list }) => list === 1)],
  ["Consul", () => FakeConsulAgent.start(), (agent: FakeConsulAgent) => agent.until(({ requests }) => requests === 1)],
  ["DNS", () => FakeDnsServer.start(), (dns: FakeDnsServer) => dns.untilQueries(1)],
] as const) {
  test(`a wait on the fake server of ${name} fails after 20 s with the condition and the counts`, async (t) => {
    const server = await start();
    t.after(() => server.close());
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const failed = assert.rejects(
      (wait as (server: unknown) => Promise<void>)(server),
      /=> .* not within 20 s: \{".*0/,
    );
    t.mock.timers.tick(19_999);
    await new Promise((resolve) => setImmediate(resolve));
    t.mock.timers.tick(1);
    await failed;
  });
}
