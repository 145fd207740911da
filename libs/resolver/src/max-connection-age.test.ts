import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import { type ChannelOptions, ServerCredentials, type ServerOptions } from "@grpc/grpc-js";
import { PodServer } from "../testing/pod-server.ts";
import { Rig, spread, untilCall, untilSpread } from "../testing/rig.ts";
import { resolverChannels, type SnapshotMessage } from "./diagnostics.ts";

/**
 * grpc-js repeats a call that a server refused, because its connection had just ended, once by itself. When two connections
 * end under a call, only a retry policy repeats it again.
 */
const retryPolicy = {
  maxAttempts: 5,
  initialBackoff: "0.01s",
  maxBackoff: "0.1s",
  backoffMultiplier: 2,
  retryableStatusCodes: ["UNAVAILABLE"],
};
const withRetries: ChannelOptions = {
  "grpc.service_config": JSON.stringify({ loadBalancingConfig: [], methodConfig: [{ name: [{}], retryPolicy }] }),
};

interface Case {
  readonly what: string;
  readonly server: ServerOptions;
  readonly client: ChannelOptions;
  /** Called after each answer. */
  onCall(pods: readonly PodServer[], answers: number): void;
}
const cases: readonly Case[] = [
  {
    what: "GOAWAY",
    server: {},
    client: {},
    onCall: (pods, answers) => void (answers % 20 === 0 && pods[(answers / 20) % pods.length]?.sendGoaway()),
  },
  { what: "max connection age", server: { "grpc.max_connection_age_ms": 300 }, client: withRetries, onCall: () => {} },
];

for (const { what, server, client: options, onCall } of cases) {
  test(`${what} ends connections without a failed call or a new snapshot`, async (t) => {
    const rig = new Rig(t);
    const insecure = ServerCredentials.createInsecure();
    const pods = await Promise.all(["a", "b"].map((name) => PodServer.start(name, insecure, server)));
    rig.adopt(...pods);
    const snapshots: unknown[] = [];
    const onSnapshot = (message: unknown) => snapshots.push((message as SnapshotMessage).snapshot);
    subscribe(resolverChannels.snapshot, onSnapshot);
    rig.onClose(() => void unsubscribe(resolverChannels.snapshot, onSnapshot));
    rig.source().setEndpoints(pods.map(({ endpoint }) => endpoint));
    const client = rig.client(options);
    await untilSpread(client, ...pods);

    let answers = 0;
    const isEnough = () => pods.every(({ connections }) => connections >= 4);
    const onAnswer = () => {
      answers += 1;
      onCall(pods, answers);
      return isEnough();
    };
    const workers = Array.from({ length: 4 }, () => untilCall(client, onAnswer, () => "four connections to each pod"));
    await Promise.all(workers);
    await untilSpread(client, ...pods);
    const { a = 0, b = 0 } = await spread(client, 20);
    assert.ok(a > 0 && b > 0, `both are called still, got ${a} and ${b}`);
    assert.deepEqual([snapshots.length, rig.source().runs, rig.warnings], [1, 1, []]);
  });
}
