import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import type { ChannelOptions } from "@grpc/grpc-js";
import { endpointAt } from "../testing/fake-source.ts";
import { call, failure, type PodClient, Rig, settled, untilSpread } from "../testing/rig.ts";
import { chooseKeepalive } from "./discovery-resolver.ts";

test("a channel has the default of each keepalive option that it does not set", () => {
  const [time, timeout] = ["grpc.keepalive_time_ms", "grpc.keepalive_timeout_ms"] as const;
  for (const [options, want] of [
    [{}, { [time]: 305_000, [timeout]: 20_000 }],
    [{ [time]: 10_000 }, { [timeout]: 20_000 }],
    [{ [timeout]: 1_000 }, { [time]: 305_000 }],
    [{ [time]: -1, [timeout]: 1_000 }, {}],
    [{ [time]: undefined }, { [time]: 305_000, [timeout]: 20_000 }],
  ] as [ChannelOptions, object][]) {
    assert.deepEqual(chooseKeepalive(options), want);
  }
  assert.notEqual(chooseKeepalive({}), chooseKeepalive({}), "nothing that two channels could change");
});

/** What grpc-js made of a client's options, read from its private connections. */
function connectionsOf(client: PodClient): { keepaliveTimeMs: number; keepaliveTimeoutMs: number }[] {
  const channel = client.getChannel() as unknown as {
    internalChannel: {
      subchannelPool: {
        pool: Record<string, { subchannel: { transport?: { keepaliveTimeMs: number; keepaliveTimeoutMs: number } } }[]>;
      };
    };
  };
  const subchannels = Object.values(channel.internalChannel.subchannelPool.pool).flat();
  return subchannels.flatMap(({ subchannel: { transport } }) =>
    transport ? [{ keepaliveTimeMs: transport.keepaliveTimeMs, keepaliveTimeoutMs: transport.keepaliveTimeoutMs }] : [],
  );
}

for (const policy of ["round_robin", "pick_first", "weighted_round_robin"]) {
  test(`${policy}: connections have keepalive by default, and the channel's own options win`, async (t) => {
    const rig = new Rig(t);
    const [a] = await rig.start("a");
    rig.source().setEndpoints([a.endpoint]);
    for (const [options, want] of [
      [{}, { keepaliveTimeMs: 305_000, keepaliveTimeoutMs: 20_000 }],
      [{ "grpc.keepalive_time_ms": 400_000 }, { keepaliveTimeMs: 400_000, keepaliveTimeoutMs: 20_000 }],
      [{ "grpc.keepalive_timeout_ms": 5_000 }, { keepaliveTimeMs: 305_000, keepaliveTimeoutMs: 5_000 }],
      [{ "grpc.keepalive_time_ms": -1 }, { keepaliveTimeMs: -1, keepaliveTimeoutMs: 20_000 }],
    ] as const) {
      const client = rig.client({ policy, ...options });
      assert.equal(await call(client), "a");
      assert.deepEqual(connectionsOf(client), [want], JSON.stringify(options));
    }
  });

  test(`${policy}: updates open no further connection`, async (t) => {
    const rig = new Rig(t);
    const [a, b] = await rig.start("a", "b");
    const source = rig.source();
    source.setEndpoints([a.endpoint]);
    const client = rig.client({ policy });
    assert.equal(await call(client), "a");
    for (const endpoints of [[a, b], [b, a], [a], [a, b], [a]]) {
      source.setEndpoints(endpoints.map(({ endpoint }) => endpoint));
      await settled();
      if (policy === "pick_first") await call(client);
      else await untilSpread(client, ...endpoints);
    }
    const connections = [a, b].map(({ calls }) => new Set(calls.map((one) => one.getPeer())).size);
    assert.deepEqual(connections, [1, policy === "pick_first" ? 0 : 1]);
  });
}

/** A listening port; the test decides what becomes of its connections. */
async function listen(rig: Rig, onSocket: (socket: Socket, sockets: Set<Socket>) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    onSocket(socket, sockets);
    for (const each of sockets) each.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  rig.onClose(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { endpoint: endpointAt((server.address() as AddressInfo).port), sockets };
}

test("a peer that falls silent is noticed, and its calls fail", async (t) => {
  const rig = new Rig(t);
  const [a] = await rig.start("a");
  const { endpoint, sockets } = await listen(rig, (near, all) => {
    const far = connect(a.port, "127.0.0.1");
    all.add(far);
    near.pipe(far).pipe(near);
  });
  rig.source().setEndpoints([endpoint]);
  const client = rig.client({ "grpc.keepalive_time_ms": 100, "grpc.keepalive_timeout_ms": 100 });
  a.hold();
  const waiting = failure(client);
  await a.called(1);
  for (const socket of sockets) socket.unpipe().pause(); // open and silent, as a machine that lost its power
  assert.match(await waiting, /Connection dropped|keepalive/i);
});

test("a peer that accepts and never answers gets no call while another is there", async (t) => {
  const rig = new Rig(t);
  const [a] = await rig.start("a");
  const { endpoint } = await listen(rig, () => {});
  rig.source().setEndpoints([endpoint, a.endpoint]);
  const client = rig.client();
  for (let n = 0; n < 10; n++) assert.equal(await call(client), "a");
});
