import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, type TestContext, test } from "node:test";
import { assertNothingLeft, closedPort, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { BalancedDispatcher } from "@grpc-lb/resolver/undici";
import { metrics, trace } from "@opentelemetry/api";
import { fastify } from "fastify";
import { createAdminServer } from "../admin/admin-server.ts";
import { createCertificateExpiry } from "./certificate-expiry.ts";
import { describeResource } from "./resource.ts";
import { startTelemetry, type Telemetry } from "./telemetry.ts";
import { telemetryFlags } from "./telemetry-flags.ts";
import { startTraces } from "./traces.ts";

after(assertNothingLeft);

const service = { name: "server", version: "1.0.0" };

/** A collector that answers with `status` after `hold`, and keeps what it was sent. */
async function startCollector(t: TestContext, { status = 200, hold = Promise.resolve() } = {}) {
  const bodies: Buffer[] = [];
  const paths: (string | undefined)[] = [];
  const collector = createServer(async (request, response) => {
    paths.push(request.url);
    bodies.push(Buffer.concat(await request.toArray()));
    await hold;
    response.writeHead(status).end();
  }).listen(0, "127.0.0.1");
  await once(collector, "listening");
  t.after(() => {
    collector.closeAllConnections();
    collector.close();
  });
  const { port } = collector.address() as AddressInfo;
  return { endpoint: new URL(`http://127.0.0.1:${port}`), bodies, paths };
}

async function startApp(t: TestContext, telemetry: Telemetry, handle: (path: string) => Promise<string>) {
  const app = fastify({ forceCloseConnections: true });
  telemetry.instrument(app, () => true);
  for (const path of ["/pod", "/healthz", "/hang"]) app.get(path, () => handle(path));
  t.after(() => app.close());
  return app.listen({ port: 0, host: "127.0.0.1" });
}

test("a request of a client and its handler on the server are in one trace, which goes to the collector", async (t) => {
  const { endpoint, bodies, paths } = await startCollector(t);
  const reported: string[] = [];
  const report = (line: string) => void reported.push(line);
  const telemetry = await startTelemetry({ service, hasMetrics: false, otlpEndpoint: endpoint, report });
  const seen: (string | undefined)[] = [];
  const url = await startApp(t, telemetry, async () => {
    seen.push(trace.getActiveSpan()?.spanContext().traceId);
    return "a";
  });
  for (const path of ["/pod?token=s3cr3t", "/healthz"]) {
    await telemetry.observeRequest({ method: "GET", url: new URL(path, url) }, async ({ headers, answered }) => {
      seen.push(trace.getActiveSpan()?.spanContext().traceId);
      const { status } = await fetch(new URL(path, url), { headers });
      answered(status);
    });
  }
  await telemetry.close();
  const [ofClient, ofServer] = seen;
  assert.match(ofClient ?? "", /^[0-9a-f]{32}$/);
  assert.equal(ofServer, ofClient);
  assert.equal(seen[3], undefined, "a probe has no span");
  assert.deepEqual(new Set(paths), new Set(["/v1/traces"]));
  const sent = Buffer.concat(bodies);
  const id = Buffer.from(ofClient ?? "", "hex");
  assert.ok(sent.indexOf(id) >= 0 && sent.indexOf(id) !== sent.lastIndexOf(id), "both spans");
  assert.doesNotMatch(sent.toString("latin1"), /s3cr3t/);
  assert.deepEqual(reported, []);
});

/** Whether a timer keeps the process alive. */
const isWaiting = () => process.getActiveResourcesInfo().includes("Timeout");

test("a collector that is dead is reported once, and one that hangs or refuses delays the end of the process by two seconds at most", async (t) => {
  const reported: string[] = [];
  const begin = (endpoint: URL, clock?: ManualClock) =>
    startTraces({
      endpoint,
      sampling: 1,
      resource: {},
      report: (line) => reported.push(line),
      ...(clock && { clock }),
    });
  const { endpoint: refusing, bodies } = await startCollector(t, { status: 400 });
  const failing = begin(refusing);
  for (let n = 0; n < 600; n++) failing.tracer.startSpan("a").end(); // more than a batch
  await failing.close();
  assert.equal(bodies.length, 2);
  assert.equal(reported.length, 1, reported.join("\n"));
  assert.match(
    reported[0] ?? "",
    /^traces: cannot export to http:\/\/127\.0\.0\.1:\d+\/v1\/traces: .*; spans are dropped/,
  );

  const { endpoint: hanging, paths } = await startCollector(t, { hold: new Promise(() => {}) });
  const refused = new URL(`http://127.0.0.1:${await closedPort()}`);
  for (const endpoint of [hanging, refused]) {
    const clock = new ManualClock();
    const stuck = begin(endpoint, clock);
    stuck.tracer.startSpan("a").end();
    const closed = stuck.close();
    await clock.asleep();
    if (endpoint === hanging) await until(() => paths.length > 0, "the collector has the request");
    else await until(isWaiting, "the exporter waits for its retry");
    clock.advance(2_000);
    await closed;
    assert.match(reported.pop() ?? "", /^traces: the last spans have not reached .* within 2s$/);
    for (let turns = 0; isWaiting() && turns < 1_000; turns++) await turn();
    assert.ok(!isWaiting(), `the exporter keeps the process alive: ${endpoint}`);
  }
});

test("sampling decides for the traces that begin here", async (t) => {
  const { endpoint, bodies } = await startCollector(t);
  const none = startTraces({ endpoint, sampling: 0, resource: {}, report: assert.fail });
  for (let n = 0; n < 20; n++) none.tracer.startSpan("a").end();
  await none.close();
  assert.equal(bodies.length, 0);
});

test("the metrics of HTTP have route, status and error; a scrape has those of the process, of certificates and of a dispatcher", async (t) => {
  const telemetry = await startTelemetry({ service, hasMetrics: true, report: assert.fail });
  const admin = await createAdminServer({ host: "127.0.0.1", port: 0, routes: telemetry.routes });
  t.after(async () => {
    await admin.close();
    await telemetry.close();
  });
  const hung = Promise.withResolvers<void>();
  const url = await startApp(t, telemetry, (path) => {
    if (path === "/pod") return Promise.resolve("a");
    hung.resolve();
    return new Promise<never>(() => {});
  });
  await fetch(new URL("/pod", url));
  await fetch(new URL("/pod/unknown", url), { method: "PROPFIND" });
  const gone = new AbortController();
  const aborted = assert.rejects(fetch(new URL("/hang", url), { signal: gone.signal }));
  await hung.promise;
  gone.abort();
  await aborted;
  const failed = telemetry.observeRequest({ method: "GET", url: new URL("http://a:1/?x=s3cr3t") }, async () => {
    throw new Error("refused");
  });
  await assert.rejects(failed, { message: "refused" });
  const target = `static:///${new URL(url).host}`;
  const dispatcher = new BalancedDispatcher(target);
  const { body } = await dispatcher.request({ origin: "http://server", path: "/pod", method: "GET" });
  assert.equal(await body.text(), "a");
  await dispatcher.close();
  const expiry = createCertificateExpiry(telemetry);
  expiry.set("server", 1_800_000_000_000);
  expiry.set("old", 1);
  expiry.set("old", undefined);

  const scrape = async (accept: string) => {
    const answer = await fetch(`http://127.0.0.1:${admin.port}/metrics`, { headers: { accept } });
    return { type: answer.headers.get("content-type"), text: await answer.text() };
  };
  let { type, text } = await scrape("text/plain");
  for (let turns = 0; !text.includes("aborted") && turns < 100; turns++) ({ type, text } = await scrape("text/plain"));
  assert.equal(type, "text/plain; version=0.0.4; charset=utf-8");
  const server = 'http_server_request_duration_seconds_count{http_request_method="GET",url_scheme="http"';
  for (const line of [
    `${server},http_route="/pod",http_response_status_code="200"} 2`,
    `${server.replace("GET", "_OTHER")},http_response_status_code="404"} 1`,
    `${server},http_route="/hang",error_type="aborted"} 1`,
    'http_client_request_duration_seconds_count{http_request_method="GET",server_address="a",server_port="1",error_type="failed"} 1',
    `grpc_lb_resolver_snapshot_age_seconds{grpc_target="${target}"} 0`,
    'grpc_lb_tls_certificate_expiry_seconds{grpc_lb_tls_certificate="server"} 1800000000',
  ]) {
    assert.ok(text.includes(`${line}\n`), `want ${line} in\n${text}`);
  }
  for (const name of [
    "process_cpu_time_seconds_total{",
    "process_memory_usage_bytes ",
    "nodejs_eventloop_delay_p99_seconds ",
  ])
    assert.ok(text.includes(`\n${name}`), name);
  assert.doesNotMatch(text, /s3cr3t|tls_certificate="old"/);
  assert.match(
    (await scrape("application/openmetrics-text")).type ?? "",
    /^application\/openmetrics-text; version=1\.0\.0/,
  );
});

test("the resource has the service, the pod, and what the standard variables add", () => {
  const env = {
    POD_NAME: "a",
    ZONE: "",
    OTEL_RESOURCE_ATTRIBUTES: "team=x%20y, bad, k8s.node.name=n",
    OTEL_SERVICE_NAME: "s",
  };
  assert.deepEqual(describeResource(service, env), {
    "service.name": "s",
    "service.version": "1.0.0",
    "service.instance.id": "a",
    "k8s.pod.name": "a",
    "k8s.node.name": "n",
    team: "x y",
  });
});

test("a sampling of traces that go nowhere is refused", async () => {
  await assert.rejects(startTelemetry({ service, hasMetrics: true, traceSampling: 0.1, report: assert.fail }), {
    exitCode: 2,
    message: "--trace-sampling has no effect without --otlp-endpoint",
  });
});

test("flags take what is right, and say what is wrong without repeating a secret", () => {
  const { otlpEndpoint, traceSampling } = telemetryFlags;
  assert.equal(otlpEndpoint.parse("http://collector:4318")?.href, "http://collector:4318/");
  for (const text of ["http://a:4318/v1/traces", "http://a:4318/v1/traces/"])
    assert.equal(otlpEndpoint.parse(text)?.href, "http://a:4318/");
  assert.equal(otlpEndpoint.parse("http://a/otlp/v1/traces")?.href, "http://a/otlp/");
  for (const text of ["collector:4318", "ftp://a", "http://a/?token=s3cr3t", "http://a:s3cr3t@b"]) {
    assert.throws(
      () => otlpEndpoint.parse(text),
      (error: Error) => !error.message.includes("s3cr3t"),
      text,
    );
  }
  assert.deepEqual(
    ["1%", "0.25", "100%", "0"].map((text) => traceSampling.parse(text)),
    [0.01, 0.25, 1, 0],
  );
  for (const text of ["2", "101%", "-1", "a", ""])
    assert.throws(() => traceSampling.parse(text), /must be a share/, text);
});

test("a meter of the API is scraped, too, until telemetry is closed", async () => {
  const telemetry = await startTelemetry({ service, hasMetrics: true, report: assert.fail });
  metrics.getMeter("a library").createCounter("library.calls").add(3);
  const admin = await createAdminServer({ host: "127.0.0.1", port: 0, routes: telemetry.routes });
  const body = await (await fetch(`http://127.0.0.1:${admin.port}/metrics`)).text();
  assert.match(body, /^library_calls_total 3$/m);
  await admin.close();
  await telemetry.close();
  assert.ok(metrics.setGlobalMeterProvider({ getMeter: () => assert.fail() }), "the next one may set its own");
  metrics.disable();
});

test("options are checked", async () => {
  const options = { service, hasMetrics: true, report: assert.fail };
  await assert.rejects(startTelemetry({ ...options, otlpEndpoint: "http://127.0.0.1:4318" as never }), {
    name: "TypeError",
    message: "startTelemetry: otlpEndpoint must be a URL object: new URL(…), got a string",
  });
});
