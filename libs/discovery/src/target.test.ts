import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTarget } from "./target.ts";

const good: [string, string, string | undefined, string | undefined][] = [
  ["kubernetes:///server:grpc", "server", undefined, "grpc"],
  ["kubernetes:///server:grpc-internal-api", "server", undefined, "grpc-internal-api"],
  [`kubernetes:///server:${"p".repeat(63)}`, "server", undefined, "p".repeat(63)],
  ["kubernetes:///server", "server", undefined, undefined],
  ["kubernetes:///server:50051", "server", undefined, "50051"],
  ["kubernetes:///server.prod:grpc", "server", "prod", "grpc"],
  ["kubernetes:///server.prod.svc:grpc", "server", "prod", "grpc"],
  ["kubernetes:///server.prod.svc.cluster.local:grpc", "server", "prod", "grpc"],
  ["kubernetes://prod/server:grpc", "server", "prod", "grpc"],
  ["kubernetes://prod/server.prod:grpc", "server", "prod", "grpc"],
  ["kubernetes://server.prod:80/", "server", "prod", "80"],
  ["kubernetes://server.prod:80", "server", "prod", "80"],
  ["kubernetes:server:80", "server", undefined, "80"],
  ["kubernetes:///server?", "server", undefined, undefined],
];
for (const [text, service, namespace, port] of good) {
  test(`${text} is read`, () => {
    assert.deepEqual(parseTarget(text), { t: "kubernetes", service, namespace, port });
  });
}

const wrong: [string, RegExp][] = [
  ["server:80", /does not begin with kubernetes:/],
  ["dns:///server", /does not begin with kubernetes:/],
  ["", /does not begin with kubernetes:/],
  ["kubernetes:///", /names no service/],
  ["kubernetes:///:80", /names no service/],
  ["kubernetes:///server:0", /"0" is no port/],
  ["kubernetes:///server:65536", /"65536" is no port/],
  ["kubernetes:///server:gr_pc", /"gr_pc" is no port/],
  ["kubernetes:///server:", /"" is no port/],
  [`kubernetes:///server:${"p".repeat(64)}`, /is no port/],
  ["kubernetes:///server:80:81", /is no service:port/],
  ["kubernetes:///prod/server", /is no service:port/],
  ["kubernetes:///Server", /"Server" is no DNS label/],
  ["kubernetes:///server..svc", /"" is no DNS label/],
  ["kubernetes:///server.prod.pod", /is no service\.namespace\.svc\.domain/],
  ["kubernetes:///server.prod.svc.", /has an empty label/],
  ["kubernetes://prod/server.test", /names two namespaces, prod and test/],
  ["kubernetes:///server?zone=a", /unknown parameter "zone"/],
];
for (const [text, complaint] of wrong) {
  test(`"${text}" is refused, and says what was expected`, () => {
    assert.throws(
      () => parseTarget(text),
      (error: Error) => {
        assert.ok(error instanceof RangeError);
        assert.match(error.message, complaint);
        assert.match(error.message, /expected kubernetes:\/\/\/service\[\.namespace\]\[:port\]/);
        return error.message.startsWith(`target "${text}": `);
      },
    );
  });
}

test("a user or a password in a target is refused, and not repeated", () => {
  for (const text of ["kubernetes://me:secret@prod/server", "kubernetes:///me:secret@server"]) {
    const message = "a kubernetes: target must not carry a user or a password";
    assert.throws(() => parseTarget(text), { name: "RangeError", message });
  }
});
