/** How many watches an API server serves for many channels: two for each service, of its slices and of the Service itself. */
import { credentials } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import { FakeApiServer, slice } from "@grpc-lb/discovery/testing";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { registerResolvers } from "@grpc-lb/resolver";
import { report } from "./table.ts";

/** Opens channels and starts their resolution; counts what the API server saw when every channel has its endpoints. */
async function measure(channels: number, services: number) {
  const api = await FakeApiServer.start();
  for (let n = 0; n < services; n++) api.putSlice(slice({ service: `s-${n}`, addresses: ["127.0.0.1"] }));
  const resolvers = registerResolvers({ kubernetes: { access: api.access } });
  const clients = Array.from({ length: channels }, (_, n) => {
    const target = `kubernetes:///s-${n % services}.default:grpc`;
    const client = new PodServiceClient(target, credentials.createInsecure());
    client.getChannel().getConnectivityState(true);
    return client;
  });
  const resolved = () => resolvers.stats().reduce((sum, { channels, endpoints }) => sum + channels * endpoints, 0);
  await until(() => resolved() >= channels, "endpoints in every channel");
  await api.until(({ openWatches }) => openWatches >= 2 * services);
  const { watch, list } = api.counts;
  for (const client of clients) client.close();
  await api.until(({ openWatches, connections }) => openWatches === 0 && connections === 0);
  await api.close();
  return { watch, list };
}

const many = await measure(100, 20);
const one = await measure(1_000, 1);
const row = (name: string, { watch, list }: typeof one, bound: number) =>
  ({
    name,
    value: watch,
    unit: " watches",
    bound,
    sense: "=",
    detail: `${list} lists; 0 watches after close`,
  }) as const;
report([row("100 channels to 20 services", many, 40), row("1 000 idle channels to one service", one, 2)]);
