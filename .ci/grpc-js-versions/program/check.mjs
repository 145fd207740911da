/**
 * Runs in a project in which the packages and one version of grpc-js are installed. Three servers, and a channel for each policy:
 * calls go where the policy sends them, and after one server has closed, to the other two. Prints one line of JSON:
 * `{"resolver":"ok","policies":{"least_request":"ok"}}`, with the reason in place of "ok" for what does not work.
 */
import { credentials, Metadata, makeGenericClientConstructor, Server, ServerCredentials } from "@grpc/grpc-js";

const json = { serialize: (value) => Buffer.from(JSON.stringify(value)), deserialize: (bytes) => JSON.parse(bytes) };
const definition = {
  Name: {
    path: "/check.Names/Name",
    requestStream: false,
    responseStream: false,
    requestSerialize: json.serialize,
    requestDeserialize: json.deserialize,
    responseSerialize: json.serialize,
    responseDeserialize: json.deserialize,
  },
};
const Names = makeGenericClientConstructor(definition, "Names");
const callsEach = 60;

/** How many of the three servers a policy uses, for calls with different keys. */
const expected = { pick_first: 1, subset: 2 };
const configs = { subset: { subsetSize: 2 }, ...hashConfigs("ring_hash", "maglev", "source_hash") };

function hashConfigs(...names) {
  return Object.fromEntries(names.map((name) => [name, { requestHashHeader: "user" }]));
}

async function startServer(name) {
  const server = new Server();
  server.addService(definition, { Name: (_call, done) => done(null, name) });
  const port = await new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
  return { address: `127.0.0.1:${port}`, close: () => server.forceShutdown() };
}

/** The names of the servers that answer; the calls run ten at a time, each with a key of its own. */
async function namesOf(client) {
  const names = [];
  for (let first = 0; first < callsEach; first += 10) {
    const batch = Array.from({ length: 10 }, (_, index) => callOnce(client, `user-${first + index}`));
    names.push(...(await Promise.all(batch)));
  }
  return names;
}

function callOnce(client, user) {
  const metadata = new Metadata();
  metadata.set("user", user);
  return new Promise((resolve, reject) =>
    client.Name({}, metadata, { deadline: Date.now() + 5_000 }, (error, name) =>
      error ? reject(error) : resolve(name),
    ),
  );
}

async function checkPolicy(policy) {
  const servers = await Promise.all(["a", "b", "c"].map(startServer));
  const target = `static:///${servers.map(({ address }) => address).join(",")}`;
  const config = { loadBalancingConfig: [{ [policy]: configs[policy] ?? {} }] };
  const client = new Names(target, credentials.createInsecure(), { "grpc.service_config": JSON.stringify(config) });
  try {
    const used = new Set(await namesOf(client));
    const want = expected[policy] ?? 3;
    if (used.size !== want) return `calls went to ${used.size} of 3 servers, and not to ${want}`;
    const [closing] = used;
    servers["abc".indexOf(closing)].close();
    await untilElsewhere(client, closing);
    const rest = new Set(await namesOf(client));
    return rest.has(closing) ? "calls go to a closed server" : "ok";
  } finally {
    client.close();
    for (const { close } of servers) close();
  }
}

/** Calls in flight may fail when their server closes; until the client has noticed. */
async function untilElsewhere(client, closed) {
  const endMs = Date.now() + 10_000;
  while (Date.now() < endMs) {
    const names = await namesOf(client).catch(() => undefined);
    if (names && !names.includes(closed)) return;
  }
  throw new Error("calls fail after one of three servers has closed");
}

const report = async (check) => {
  try {
    return await check();
  } catch (error) {
    return error.message;
  }
};

const policies = {};
const resolver = await report(async () => {
  const { registerResolvers } = await import("@grpc-lb/resolver");
  registerResolvers();
  return checkPolicy("round_robin");
});
const registered = await report(async () => {
  const { policyNames, registerPolicies } = await import("@grpc-lb/policies");
  registerPolicies();
  return policyNames;
});
if (Array.isArray(registered)) {
  for (const name of ["pick_first", "round_robin", ...registered])
    policies[name] = await report(() => checkPolicy(name));
} else {
  policies.all = registered;
}
process.stdout.write(`${JSON.stringify({ resolver, policies })}\n`, () => process.exit());
