import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { chooseFormat } from "./metrics-format.ts";
import { formatMetrics } from "./prometheus-text.ts";

class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

async function collect() {
  const reader = new ManualReader();
  const resource = resourceFromAttributes({ "service.name": "server" });
  const meter = new MeterProvider({ resource, readers: [reader] }).getMeter("test");
  meter.createCounter("grpc.client.attempt.started", { description: "Attempts\nstarted", unit: "{attempt}" }).add(2, {
    "grpc.method": 'a/"B"\\\n',
  });
  meter.createObservableGauge("nodejs.eventloop.utilization", { unit: "1" }).addCallback((result) => {
    result.observe(0.5);
  });
  meter.createUpDownCounter("queue", { unit: "By" }).add(-1);
  const advice = { explicitBucketBoundaries: [0, 0.00001, 1] };
  const duration = meter.createHistogram("grpc.client.call.duration", { unit: "s", advice });
  for (const seconds of [0.5, 0.5, 7]) duration.record(seconds, { "grpc.status": "OK" });
  meter.createCounter("unused");
  return (await reader.collect()).resourceMetrics;
}

test("names, units, types and values are those of OpenTelemetry's conventions, in both formats", async () => {
  const metrics = await collect();
  assert.equal(
    formatMetrics(metrics, "prometheus"),
    `# TYPE target_info gauge
# HELP target_info Target metadata
target_info{service_name="server"} 1
# TYPE grpc_client_attempt_started_total counter
# HELP grpc_client_attempt_started_total Attempts\\nstarted
grpc_client_attempt_started_total{grpc_method="a/\\"B\\"\\\\\\n"} 2
# TYPE nodejs_eventloop_utilization_ratio gauge
nodejs_eventloop_utilization_ratio 0.5
# TYPE queue_bytes gauge
queue_bytes -1
# TYPE grpc_client_call_duration_seconds histogram
grpc_client_call_duration_seconds_bucket{grpc_status="OK",le="0"} 0
grpc_client_call_duration_seconds_bucket{grpc_status="OK",le="0.00001"} 0
grpc_client_call_duration_seconds_bucket{grpc_status="OK",le="1"} 2
grpc_client_call_duration_seconds_bucket{grpc_status="OK",le="+Inf"} 3
grpc_client_call_duration_seconds_sum{grpc_status="OK"} 8
grpc_client_call_duration_seconds_count{grpc_status="OK"} 3
`,
  );
  const open = formatMetrics(metrics, "openmetrics");
  for (const line of [
    "# TYPE target info",
    "# TYPE grpc_client_attempt_started counter",
    "# UNIT grpc_client_call_duration_seconds seconds",
    'grpc_client_call_duration_seconds_bucket{grpc_status="OK",le="1.0"} 2',
  ]) {
    assert.ok(open.includes(`${line}\n`), `want ${line} in\n${open}`);
  }
  assert.ok(open.endsWith("\n# EOF\n"));
});

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

test("promtool has no complaint", { skip: hasPromtool ? false : "promtool is not on this machine" }, async () => {
  const input = formatMetrics(await collect(), "prometheus");
  const { status, stderr } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });
  // The linter wants a help text of every metric; those without one are of this test.
  const complaints = stderr.split("\n").filter((line) => line !== "" && !line.endsWith("no help text"));
  assert.deepEqual(complaints, []);
  assert.notEqual(status, 1);
});

test("the format is the one with the highest weight in Accept, and Prometheus's for everything else", () => {
  const ofPrometheus =
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  for (const [accept, format] of [
    [ofPrometheus, "openmetrics"],
    ["application/openmetrics-text; version=1.0.0; escaping=allow-utf-8; q=0.5, text/plain;q=0.6", "prometheus"],
    ["application/openmetrics-text", "openmetrics"],
    ["application/openmetrics-text;version=0.0.1", "prometheus"],
    ["application/openmetrics-text;q=0", "prometheus"],
    ["*/*", "prometheus"],
    ["text/html", "prometheus"],
    [";q=x,,", "prometheus"],
    [undefined, "prometheus"],
  ] as const) {
    assert.equal(chooseFormat(accept), format, accept);
  }
});

test("attributes whose names are one label are joined, because a label must not be there twice", async () => {
  const reader = new ManualReader();
  const resource = resourceFromAttributes({ "team.name": "b", team_name: "a", team: ["x"] });
  new MeterProvider({ resource, readers: [reader] });
  const { resourceMetrics } = await reader.collect();
  assert.match(formatMetrics(resourceMetrics, "prometheus"), /^target_info\{team_name="b;a",team="\[\\"x\\"\]"\} 1$/m);
});
