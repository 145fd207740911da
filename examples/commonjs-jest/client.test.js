const { mkdtempSync, rmSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { promisify } = require("node:util");
const { Server, ServerCredentials } = require("@grpc/grpc-js");
const { connect, Greeter } = require("./client.js");

const names = ["server-1", "server-2", "server-3"];
const servers = [];
let addresses = [];

/** Starts a server that answers with its name, on a free port, and returns its address. */
async function startServer(name) {
  const server = new Server();
  server.addService(Greeter.service, { greet: (_call, respond) => respond(null, { server: name }) });
  servers.push(server);
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", ServerCredentials.createInsecure());
  return `127.0.0.1:${port}`;
}

beforeAll(async () => {
  addresses = await Promise.all(names.map(startServer));
});

afterAll(() => {
  for (const server of servers) server.forceShutdown();
});

test("calls go to every server", async () => {
  const client = connect(`static:///${addresses.join(",")}`);
  const seen = new Set();
  for (let n = 0; n < 30; n++) seen.add(await client.greet());
  client.close();
  expect([...seen].sort()).toEqual(names);
});

test("a server that is added to the file gets calls", async () => {
  const folder = mkdtempSync(join(tmpdir(), "example-"));
  const file = join(folder, "endpoints.json");
  writeFileSync(file, JSON.stringify(addresses.slice(0, 1)));
  const client = connect(`file://${file}`);
  expect(await client.greet()).toBe("server-1");
  writeFileSync(file, JSON.stringify(addresses.slice(0, 2)));
  while ((await client.greet()) !== "server-2"); // ends when the client has read the file and is connected
  client.close();
  rmSync(folder, { recursive: true });
});
