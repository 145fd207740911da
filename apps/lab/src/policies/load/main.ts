import { type Client, credentials, experimental, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { createRandom, messageOf, systemClock, untilAborted } from "@grpc-lb/core";
import { registerPoliciesIn } from "@grpc-lb/policies/testing/context";
import { ProgramError, runProgram } from "@grpc-lb/program";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { arrivals, runOpenLoop } from "./open-loop.ts";
import { connectedLine, keyCount, keyHeader, loadFlags } from "./protocol.ts";
import { Tally } from "./tally.ts";

type PolicyConfig = Parameters<typeof experimental.parseLoadBalancingConfig>[0];

const connectTimeoutMs = 10_000;
/** The channel is ready with its first connection. The others are expected within this time. */
const otherConnectionsMs = 500;
const summary = "Calls servers at a fixed rate with one load balancing policy, and prints counts and latencies.";

void runProgram({ name: "load", summary, flags: loadFlags }, async ({ flags, signal }) => {
  const { rate, warmUp, duration, deadline: deadlineMs, seed } = flags;
  const clock = systemClock;
  registerPoliciesIn({ random: createRandom(seed) });
  validateServiceConfig(flags.serviceConfig);
  const client = new PodServiceClient(flags.target, credentials.createInsecure(), {
    "grpc.service_config": flags.serviceConfig,
    "grpc.service_config_disable_resolution": 1,
    "grpc.enable_http_proxy": 0,
  });
  try {
    await connect(client);
    await clock.sleep(otherConnectionsMs, signal);
    process.stdout.write(`${connectedLine}\n`);

    const tally = new Tally();
    const randomKey = createRandom(seed + 1);
    const pending = new Set<Promise<void>>();
    const send = (dueMs: number, fromStartMs: number) => {
      const metadata = new Metadata();
      metadata.set(keyHeader, `key-${Math.floor(randomKey() * keyCount)}`);
      const lagMs = clock.now() - dueMs;
      const { promise, resolve } = Promise.withResolvers<void>();
      const call = client.getPod({}, metadata, { deadline: Date.now() + deadlineMs }, (error: ServiceError | null) => {
        if (fromStartMs >= warmUp) {
          const name = status[error?.code ?? status.OK] ?? "UNKNOWN";
          tally.record({ peer: call.getPeer(), status: name, latencyMs: clock.now() - dueMs, lagMs });
        }
        pending.delete(promise);
        resolve();
      });
      pending.add(promise);
    };
    await runOpenLoop(arrivals(rate, warmUp + duration, createRandom(seed)), send, clock, signal);
    if (signal.aborted) return 0;
    await Promise.all(pending);
    process.stdout.write(`${JSON.stringify(tally.measured())}\n`);
    await untilAborted(signal, clock); // until the parent process stops this one
    return 0;
  } finally {
    client.close();
  }
});

function connect(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + connectTimeoutMs, (cause) => {
      if (cause) reject(new ProgramError(`no connection: ${cause.message}`, { cause, exitCode: 1 }));
      else resolve();
    });
  });
}

/**
 * Parses the policies, because grpc-js silently falls back to pick_first when a configuration is invalid.
 *
 * @throws ProgramError (exit code 2)
 */
function validateServiceConfig(text: string): void {
  const { loadBalancingConfig = [] } = JSON.parse(text) as { loadBalancingConfig?: PolicyConfig[] };
  for (const config of loadBalancingConfig) {
    try {
      experimental.parseLoadBalancingConfig(config);
    } catch (cause) {
      throw new ProgramError(`invalid service config: ${messageOf(cause)}`, { cause, exitCode: 2 });
    }
  }
}
