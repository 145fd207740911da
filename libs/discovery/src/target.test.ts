import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTarget, type Target, type TargetScheme, targetSchemes } from "./target.ts";

const kubernetes = (service: string, namespace?: string, port?: string): Target => ({
  t: "kubernetes",
  service,
  namespace,
  port,
});
const etcd = (hosts: string[], service: string, layout: "endpoints" | "kratos" | "key" = "endpoints"): Target => ({
  t: "etcd",
  members: hosts.map((host) => ({ host, port: 2379 })),
  service,
  layout,
  namespace: undefined,
});
const consul = (service: string, more: object = {}): Target => ({
  t: "consul",
  agent: { host: "c", port: 8500 },
  service,
  tags: [],
  near: undefined,
  dc: undefined,
  namespace: undefined,
  partition: undefined,
  waitMs: undefined,
  limit: undefined,
  healthy: true,
  allowStale: false,
  ...more,
});
const dnsPoll = (name: string, port: number | string, more: object = {}): Target => ({
  t: "dns-poll",
  name,
  port,
  refreshMs: undefined,
  unionMs: undefined,
  family: undefined,
  server: undefined,
  ...more,
});
const fixed = (...endpoints: [host: string, port: number, weight: number][]): Target => ({
  t: "static",
  endpoints: endpoints.map(([host, port, weight]) => ({ address: { host, port }, weight })),
});

const good: [string, Target][] = [
  ["kubernetes:///server:grpc", kubernetes("server", undefined, "grpc")],
  ["kubernetes:///server", kubernetes("server")],
  [`kubernetes:///server:${"p".repeat(63)}`, kubernetes("server", undefined, "p".repeat(63))],
  ["kubernetes:///server:50051", kubernetes("server", undefined, "50051")],
  ["kubernetes:///server.prod:grpc", kubernetes("server", "prod", "grpc")],
  ["kubernetes:///server.prod.svc:grpc", kubernetes("server", "prod", "grpc")],
  ["kubernetes:///server.prod.svc.cluster.local:grpc", kubernetes("server", "prod", "grpc")],
  ["kubernetes://prod/server:grpc", kubernetes("server", "prod", "grpc")],
  ["kubernetes://prod/server.prod:grpc", kubernetes("server", "prod", "grpc")],
  ["kubernetes://server.prod:80/", kubernetes("server", "prod", "80")],
  ["kubernetes://server.prod:80", kubernetes("server", "prod", "80")],
  ["kubernetes:server:80", kubernetes("server", undefined, "80")],
  ["kubernetes:///server?", kubernetes("server")],

  ["etcd://a/server", etcd(["a"], "server")],
  ["etcd://a:2379,b,10.0.0.1,[::1]/server", etcd(["a", "b", "10.0.0.1", "::1"], "server")],
  ["etcd://a/team/shop/server", etcd(["a"], "team/shop/server")],
  ["etcd://a/server%40v1?layout=kratos", etcd(["a"], "server@v1", "kratos")],
  ["etcd://a//services/shop?layout=key", etcd(["a"], "/services/shop", "key")],
  ["etcd://a/server?layout=endpoints", etcd(["a"], "server")],
  [
    "xds://control-plane:18000/server",
    { t: "xds", controlPlane: { host: "control-plane", port: 18_000 }, name: "server", protocol: "auto" },
  ],
  [
    "xds://[::1]/outbound|30051||server.default.svc.cluster.local?protocol=sotw",
    {
      t: "xds",
      controlPlane: { host: "::1", port: 18_000 },
      name: "outbound|30051||server.default.svc.cluster.local",
      protocol: "sotw",
    },
  ],
  [
    "xds://a/xdstp:%2F%2Fauthority%2Feds%2Fx%3Fy",
    { t: "xds", controlPlane: { host: "a", port: 18_000 }, name: "xdstp://authority/eds/x?y", protocol: "auto" },
  ],

  ["consul://c/server", consul("server")],
  ["consul://[fd00::1]:80/server", consul("server", { agent: { host: "fd00::1", port: 80 } })],
  ["consul://c:8500/web%20shop?tag=v1&tag=a%26b", consul("web shop", { tags: ["v1", "a&b"] })],
  [
    "consul://c/server?near=_agent&dc=dc2&wait=30s&limit=5&healthy=false&allow-stale",
    consul("server", { near: "_agent", dc: "dc2", waitMs: 30_000, limit: 5, healthy: false, allowStale: true }),
  ],
  ["consul://c/server?ns=team&partition=eu", consul("server", { namespace: "team", partition: "eu" })],
  ["consul://c/server?healthy&allow-stale=false&wait=10m", consul("server", { waitMs: 600_000 })],

  ["dns-poll:///server.example:80", dnsPoll("server.example", 80)],
  ["dns-poll:///server-headless:grpc", dnsPoll("server-headless", "grpc")],
  ["dns-poll:///server.example.:80?refresh=1s", dnsPoll("server.example.", 80, { refreshMs: 1_000 })],
  ["dns-poll:///a:80?union=60s&family=ipv6", dnsPoll("a", 80, { unionMs: 60_000, family: "ipv6" })],
  ["dns-poll://10.96.0.10/a_b:80", dnsPoll("a_b", 80, { server: { host: "10.96.0.10", port: 53 } })],
  ["dns-poll://[::1]:5353/a:80", dnsPoll("a", 80, { server: { host: "::1", port: 5353 } })],

  ["static:///a:1", fixed(["a", 1, 1])],
  [
    "static:///a:1,10.0.0.1:2,[::1]:65535?weights=3,0,0.5",
    fixed(["a", 1, 3], ["10.0.0.1", 2, 0], ["::1", 65_535, 0.5]),
  ],

  ["file:///etc/endpoints.yaml", { t: "file", path: "/etc/endpoints.yaml" }],
  ["file:///a%20b%3f@home/e.json", { t: "file", path: "/a b?@home/e.json" }],
];
for (const [text, want] of good) {
  test(`${text} is read`, () => {
    assert.deepEqual(parseTarget(text), want);
    assert.deepEqual(parseTarget(text, want.t), want);
  });
}

const grammars: Readonly<Record<TargetScheme, string>> = {
  kubernetes:
    "kubernetes:///service[.namespace][:port], kubernetes://namespace/service[:port] or kubernetes://service.namespace[:port]",
  etcd: "etcd://host[:2379][,host2[:2379]]/service[?layout=endpoints|kratos|go-micro|value|key&namespace=], //service for keys that begin with a slash",
  consul: "consul://host[:8500]/service[?tag=&near=&dc=&ns=&partition=&wait=&limit=&healthy=&allow-stale]",
  "dns-poll": "dns-poll://[server[:53]]/name:port[?refresh=30s&union=60s&family=ipv6]",
  static: "static:///host:port[,host:port][?weights=3,1]",
  file: "file:///path/of/endpoints.yaml, an absolute path",
  xds: "xds://control-plane[:18000]/name[?protocol=auto|delta|sotw]",
};

const wrong: { readonly [S in TargetScheme]: readonly [text: string, why: string][] } = {
  kubernetes: [
    ["kubernetes:///", "it names no service"],
    ["kubernetes:///:80", "it names no service"],
    ["kubernetes:///server:0", '"0" must be a port number or name'],
    ["kubernetes:///server:65536", '"65536" must be a port number or name'],
    ["kubernetes:///server:gr_pc", '"gr_pc" must be a port number or name'],
    ["kubernetes:///server:", '"" must be a port number or name'],
    [`kubernetes:///server:${"p".repeat(64)}`, `"${"p".repeat(64)}" must be a port number or name`],
    ["kubernetes:///server:80:81", '"server:80:81" must be service:port'],
    ["kubernetes:///prod/server", '"prod/server" must be service:port'],
    ["kubernetes:///Server", '"Server" must be a DNS label'],
    ["kubernetes:///server..svc", '"" must be a DNS label'],
    ["kubernetes:///server.prod.pod", '"server.prod.pod" must be service.namespace.svc.domain'],
    ["kubernetes:///server.prod.svc.", '"server.prod.svc." has an empty label'],
    ["kubernetes://prod/server.test", 'it names two namespaces, "prod" and "test"'],
    ["kubernetes:///server?zone", 'unknown parameter "zone"; kubernetes: has none'],
    ["kubernetes:///server?%zz", '"%zz" has a % that begins no escape; % itself is written %25'],
  ],
  etcd: [
    ["etcd:///server", 'a member of the cluster must be host:port, an IPv6 host in brackets, got ""'],
    ["etcd://a,/server", 'a member of the cluster must be host:port, an IPv6 host in brackets, got ""'],
    ["etcd://a:0/server", 'a member of the cluster must be host:port, an IPv6 host in brackets, got "a:0"'],
    ["etcd://::1/server", 'a member of the cluster must be host:port, an IPv6 host in brackets, got "::1"'],
    ["etcd://a", "it names no service"],
    ["etcd://a/", "it names no service"],
    ["etcd://a/server/", 'service must be a name without empty parts, got "server/"'],
    ["etcd://a/x//y", 'service must be a name without empty parts, got "x//y"'],
    ["etcd://a/server?layout=nacos", 'layout must be endpoints, kratos, go-micro, value or key, got "nacos"'],
    ["etcd://a/server?layout=", "the parameter layout is empty"],
    ["etcd://a/server?layout=kratos&layout=kratos", "the parameter layout stands more than once"],
    ["etcd://a/server?ttl", 'unknown parameter "ttl"; there are layout, namespace'],
    ["etcd:a/server", "it does not begin with etcd://"],
    ["etcd:/a/server", "it does not begin with etcd://"],
  ],
  xds: [
    ["xds:///server", 'the control plane must be host:port, an IPv6 host in brackets, got ""'],
    ["xds://a,b/server", 'the control plane must be host:port, an IPv6 host in brackets, got "a,b"'],
    ["xds://a:1", "it names no endpoints"],
    ["xds://a:1/server?protocol=rest", 'protocol must be auto, delta or sotw, got "rest"'],
    ["xds://a:1/server?node", 'unknown parameter "node"; there are protocol'],
  ],
  consul: [
    ["consul:///server", 'the agent must be host:port, an IPv6 host in brackets, got ""'],
    ["consul://a,b/server", 'the agent must be host:port, an IPv6 host in brackets, got "a,b"'],
    ["consul://c", "it names no service"],
    ["consul://c/a/b", '"a/b" must be a name without a slash'],
    ["consul://c/server?tag", "the parameter tag is empty"],
    ["consul://c/server?near=a&near=b", "the parameter near stands more than once"],
    ["consul://c/server?wait=30", 'wait must be a duration such as 300ms, 5s or 2m, got "30"'],
    ["consul://c/server?wait=1ms", 'wait must be at least 1s, got "1ms"'],
    ["consul://c/server?wait=11m", 'wait must be at most 10m, got "11m"'],
    ["consul://c/server?limit=0", 'limit must be a whole number >= 1, got "0"'],
    ["consul://c/server?limit=1.5", 'limit must be a whole number >= 1, got "1.5"'],
    ["consul://c/server?healthy=yes", 'healthy must be true or false, got "yes"'],
    [
      "consul://c/server?token",
      'unknown parameter "token"; there are tag, near, dc, ns, partition, wait, limit, healthy, allow-stale',
    ],
  ],
  "dns-poll": [
    ["dns-poll:///", '"" is not name:port'],
    ["dns-poll:///server", '"server" is not name:port'],
    ["dns-poll:///a:1:2", '"a:1:2" is not name:port'],
    ["dns-poll:///[::1]:80", '"[::1]:80" is not name:port'],
    ["dns-poll:///10.0.0.1:80", '"10.0.0.1" is an address, not a name: use static:///'],
    ["dns-poll:///-a:80", '"-a" is not a DNS name'],
    ["dns-poll:///a..b:80", '"a..b" is not a DNS name'],
    ["dns-poll:///a:", '"" is not a port'],
    ["dns-poll:///a:65536", '"65536" is not a port'],
    ["dns-poll:///a:80?refresh=999ms", 'refresh must be at least 1s, got "999ms"'],
    ["dns-poll:///a:80?refresh=1d", 'refresh must be a duration such as 300ms, 5s or 2m, got "1d"'],
    ["dns-poll:///a:80?union=0", 'union must be at least 1s, got "0"'],
    ["dns-poll:///a:80?family=ipv5", 'family must be ipv4, ipv6 or all, got "ipv5"'],
    ["dns-poll://dns.example/a:80", '"dns.example" is not the address of a DNS server'],
    ["dns-poll:///a:80?ttl", 'unknown parameter "ttl"; there are refresh, union, family'],
    ["dns-poll:a:80", "it does not begin with dns-poll://"],
  ],
  static: [
    ["static:///", "it names no address"],
    ["static:///a", 'an address must be host:port, an IPv6 host in brackets, got "a"'],
    ["static:///a:1,", 'an address must be host:port, an IPv6 host in brackets, got ""'],
    ["static:///::1:80", 'an address must be host:port, an IPv6 host in brackets, got "::1:80"'],
    ["static:///[a]:1", 'an address must be host:port, an IPv6 host in brackets, got "[a]:1"'],
    ["static:///300.0.0.1:1", 'an address must be host:port, an IPv6 host in brackets, got "300.0.0.1:1"'],
    ["static:///a:1,b:1,a:1", 'it names "a:1" twice'],
    ["static://a:1/", 'the addresses stand behind three slashes, and "a:1" behind two'],
    ["static:///a:1,b:1?weights=1", "weights must be one for each of the 2 addresses, got 1"],
    ["static:///a:1?weights=-1", 'a weight must be a number from 0 to 2^32 - 1, got "-1"'],
    ["static:///a:1?weights=4294967296", 'a weight must be a number from 0 to 2^32 - 1, got "4294967296"'],
    ["static:///a:1,b:1?weights=1,", 'a weight must be a number from 0 to 2^32 - 1, got ""'],
    ["static:///a:1?weight", 'unknown parameter "weight"; there are weights'],
  ],
  file: [
    ["file:///", "it names no file"],
    ["file:///etc/", "it names no file"],
    ["file://etc/e.yaml", 'the path stands behind three slashes, and "etc" behind two'],
    ["file:e.yaml", "it does not begin with file://"],
    ["file:///e%.yaml", '"e%.yaml" has a % that begins no escape; % itself is written %25'],
    ["file:///e.yaml?poll", 'unknown parameter "poll"; file: has none'],
  ],
};
for (const scheme of targetSchemes) {
  for (const [text, why] of wrong[scheme]) {
    test(`${text} is refused with the reason and the grammar`, () => {
      const message = `target "${text}": ${why}; expected ${grammars[scheme]}`;
      for (const expected of [undefined, scheme]) {
        const parse = () => (expected === undefined ? parseTarget(text) : parseTarget(text, expected));
        assert.throws(parse, { name: "RangeError", message });
      }
    });
  }
}

test("a target of another scheme is refused with all schemes, or with the one that is expected", () => {
  const all = targetSchemes.map((each) => `${each}:`).join(", ");
  for (const [text, shown] of [
    ["", ""],
    ["server:80", "server:80"],
    ["dns:///server", "dns:///…"],
    ["Static:///a:1", "Static:///…"],
    ["static", "…"],
    [" static:///a:1", "…"],
  ] as const) {
    assert.throws(() => parseTarget(text), {
      name: "RangeError",
      message: `target "${shown}": it begins with none of ${all}; expected ${Object.values(grammars).join("; ")}`,
    });
  }
  assert.throws(() => parseTarget("static:///a:1", "file"), {
    name: "RangeError",
    message: `target "static:///…": it does not begin with file:; expected ${grammars.file}`,
  });
});

test("a user or a password, and the value of an unknown parameter, are refused and not repeated", () => {
  const atFault = "it must not carry a user or a password (an @ in a name is written %40)";
  for (const [text, shown, why] of [
    ["kubernetes://me:secret@prod/server", "kubernetes://…@prod/server", atFault],
    ["kubernetes:///me:secret@server", "kubernetes:///…@server", atFault],
    ["etcd://me:se/cret@a/server", "etcd://…@a/server", atFault],
    ["etcd://me:se?cret@a/server", "etcd://…@a/server", atFault],
    ["consul://:secret@c/server", "consul://…@c/server", atFault],
    ["static:///a:1?weights=secret@b", "static:///…@b", atFault],
    ["file://me:secret@host/e.yaml", "file://…@host/e.yaml", atFault],
    ["consul://c/s?tag=v1&token=secret", "consul://c/s?tag=v1&token=…", 'unknown parameter "token"'],
    ["consul://c/s?token=a=secret", "consul://c/s?token=…", 'unknown parameter "token"'],
    ["consul://c/s?t%61g=v1&token=secret?secret", "consul://c/s?t%61g=…&token=…", 'unknown parameter "token"'],
    ["file:///e.yaml?key=secret", "file:///e.yaml?key=…", 'unknown parameter "key"'],
    ["https://me:secret@host/?key=secret", "https://…@host/…", "it begins with none of"],
    ["me:secret@host", "…", "it begins with none of"],
  ] as const) {
    assert.throws(
      () => parseTarget(text),
      ({ message }: Error) => {
        assert.ok(message.startsWith(`target "${shown}": ${why}`), message);
        assert.ok(!message.includes("secret"), message);
        return true;
      },
    );
  }
});
