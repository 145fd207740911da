import type { Clock } from "@grpc-lb/core";
import type { Instruments } from "@grpc-lb/operations/telemetry";
import type { AdsServer } from "@grpc-lb/xds/server";
import type { ConfigStatus } from "../config/config-status.ts";
import type { Steerer } from "../steering/steerer.ts";
import type { Publisher } from "./publisher.ts";

/** What is observed. */
export interface Observed {
  readonly publisher: Publisher;
  readonly steerer: Steerer;
  readonly ads: AdsServer;
  readonly config: ConfigStatus;
  readonly clock: Clock;
}

/**
 * Observes what is served: streams, responses and rejections of ADS; endpoints of each service, the age of what is known of them,
 * whether a source has an error, how many endpoints are steered by their load, and whether the configuration is the newest. Without metrics it does nothing.
 */
export function observeControlPlane(
  { meter }: Pick<Instruments, "meter">,
  { publisher, steerer, ads, config, clock }: Observed,
): void {
  if (!meter) return;
  const gauge = (name: string, description: string, unit: string) =>
    meter.createObservableGauge(`grpc.lb.xds.${name}`, { description, unit });
  const counter = (name: string, description: string, unit: string) =>
    meter.createObservableCounter(`grpc.lb.xds.${name}`, { description, unit });

  gauge("streams", "Clients that are connected", "{stream}").addCallback((result) => {
    const groups = new Map<string, number>();
    for (const { group } of ads.clients()) groups.set(group, (groups.get(group) ?? 0) + 1);
    for (const [group, count] of groups) result.observe(count, { "grpc.lb.xds.client.kind": group });
  });
  counter("responses", "Responses that were sent", "{response}").addCallback((result) =>
    result.observe(ads.stats().responses),
  );
  counter("response.bytes", "Bytes of the responses", "By").addCallback((result) =>
    result.observe(ads.stats().responseBytes),
  );
  counter("rejections", "Responses that clients rejected", "{response}").addCallback((result) =>
    result.observe(ads.stats().rejections),
  );
  counter("refusals", "Streams that were ended by a limit or by a request that is not valid", "{stream}").addCallback(
    (result) => result.observe(ads.stats().refusals),
  );

  gauge("config.applied", "When the configuration in use was applied, since 1970", "s").addCallback((result) => {
    if (config.appliedMs !== undefined) result.observe(config.appliedMs / 1_000);
  });
  counter("config.rejections", "Configurations that were wrong", "{configuration}").addCallback((result) =>
    result.observe(config.rejections),
  );
  gauge("config.failing", "Whether the newest configuration is wrong", "{configuration}").addCallback((result) =>
    result.observe(config.isRejected ? 1 : 0),
  );

  gauge("steering.reporting", "Endpoints of a steered service whose load is known", "{endpoint}").addCallback(
    (result) => {
      for (const { service, reporting } of steerer.status())
        result.observe(reporting, { "grpc.lb.xds.service": service });
    },
  );

  const endpoints = gauge("endpoints", "Endpoints of a service that are served", "{endpoint}");
  const age = gauge("sync.age", "Time since a service's sources last heard from their servers", "s");
  const failing = gauge(
    "sources.failing",
    "Whether a source of a service has an error, or has not answered in time",
    "{service}",
  );
  meter.addBatchObservableCallback(
    (result) => {
      for (const { name, endpoints: count, lastSyncMs, hasError } of publisher.status()) {
        const attributes = { "grpc.lb.xds.service": name };
        if (count !== undefined) result.observe(endpoints, count, attributes);
        if (lastSyncMs !== undefined) result.observe(age, (clock.now() - lastSyncMs) / 1_000, attributes);
        result.observe(failing, hasError ? 1 : 0, attributes);
      }
    },
    [endpoints, age, failing],
  );
}
