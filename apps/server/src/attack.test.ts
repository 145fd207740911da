import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { credentials } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import { startProgram } from "@grpc-lb/program/testing";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { RawHttp2Client } from "../testing/raw-http2.ts";

const main = `${import.meta.dirname}/main.ts`;
const flags = ["--http-port", "0", "--grpc-port", "0", "--bind-address", "127.0.0.1", "--drain-delay", "0"];
const isLinux = process.platform === "linux";

/** Resident memory of a process, in megabytes. */
function residentMb(pid: number | undefined): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) / 1024;
}

/** A server and a client that calls it again and again. */
async function startUnderLoad() {
  const server = startProgram(main, flags);
  const { httpPort, grpcPort } = JSON.parse(await server.line((line) => line.includes('"serving"')));
  const client = new PodServiceClient(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
  const result = { calls: 0, failures: [] as string[], peakMb: 0 };
  let isOver = false;
  const loop = (async () => {
    while (!isOver) {
      await new Promise<void>((resolve) => {
        client.getPod({}, (error) => {
          result.calls += 1;
          if (error) result.failures.push(error.message);
          resolve();
        });
      });
      result.peakMb = Math.max(result.peakMb, residentMb(server.pid));
    }
  })();
  const stop = async () => {
    isOver = true;
    await loop;
    client.close();
    server.kill("SIGKILL");
    await server.exited;
    return result;
  };
  /** Waits for so many calls from now on. */
  const calls = (count: number) => {
    const goal = result.calls + count;
    return until(() => result.calls >= goal, `${count} calls`);
  };
  return { httpPort, grpcPort, calls, stop };
}

function assertUnharmed({ failures, peakMb }: Awaited<ReturnType<Awaited<ReturnType<typeof startUnderLoad>>["stop"]>>) {
  assert.deepEqual(failures, [], "calls of the other client that failed");
  assert.ok(peakMb < 200, `want less than 200 MB of resident memory, got ${Math.round(peakMb)}`);
}

test("20 000 calls without an end on one connection: memory stays bounded, and another client loses no call", {
  skip: !isLinux && "needs /proc",
}, async () => {
  const { grpcPort, calls, stop } = await startUnderLoad();
  await calls(100);
  const attacker = await RawHttp2Client.connect(grpcPort);
  attacker.handshake();
  for (let n = 0; n < 20_000; n++) {
    attacker.headers(2 * n + 1, "/pod.v1.PodService/GetPod");
    if (n % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await calls(200);
  attacker.close();
  assertUnharmed(await stop());
});

test("2 000 connections that send nothing to each port: the same", { skip: !isLinux && "needs /proc" }, async () => {
  const { httpPort, grpcPort, calls, stop } = await startUnderLoad();
  await calls(100);
  const sockets: Socket[] = [];
  for (let n = 0; n < 2_000; n++) {
    for (const port of [httpPort, grpcPort]) sockets.push(connect(port, "127.0.0.1").on("error", () => {}));
    if (n % 100 === 0) await calls(1);
  }
  await calls(100);
  assert.equal(await (await fetch(`http://127.0.0.1:${httpPort}/pod`)).status, 200, "a new client gets in");
  for (const socket of sockets) socket.destroy();
  assertUnharmed(await stop());
});
