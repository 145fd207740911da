import { redactAddress } from "@grpc-lb/core";
import type { Flag } from "@grpc-lb/program";

const otlpEndpoint: Flag<URL | undefined> = {
  metavar: "url",
  help: "where to export traces: an OTLP collector, over HTTP, such as http://collector:4318",
  default: undefined,
  defaultText: "off",
  parse(text) {
    const url = URL.parse(text);
    const isWrong = !url || !["http:", "https:"].includes(url.protocol) || url.search !== "" || url.hash !== "";
    if (isWrong) throw new RangeError(`must be a URL such as http://collector:4318, got "${redactAddress(text)}"`);
    if (url.username !== "" || url.password !== "") {
      throw new RangeError("must not have a user or a password; OTEL_EXPORTER_OTLP_HEADERS may have credentials");
    }
    url.pathname = url.pathname.replace(/\/v1\/traces\/?$/, "/"); // the whole URL, as some collectors document it
    return url;
  },
};

const traceSampling: Flag<number | undefined> = {
  metavar: "share",
  help: "which share of the traces that begin here is exported, such as 1% or 0.01",
  default: undefined,
  defaultText: "100%",
  parse(text) {
    const [, digits, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? [];
    const share = Number(digits) / (percent ? 100 : 1);
    if (!(share >= 0 && share <= 1)) throw new RangeError(`must be a share such as 1% or 0.01, got "${text}"`);
    return share;
  },
};

/** The flags of a program that has traces. Without `--otlp-endpoint` it loads nothing for them. */
export const telemetryFlags = { otlpEndpoint, traceSampling };
