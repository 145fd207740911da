/** Errors about foreign text that has a secret in it do not repeat the secret. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { redactAddress } from "@grpc-lb/core";
import fc from "fast-check";
import { assertBounded, mutated } from "../testing/fuzz.ts";
import { createConsulSource } from "./consul/index.ts";
import { defineService } from "./consul/service-definition.ts";
import { parseAddress } from "./core/address.ts";
import { createDnsPollSource } from "./dns/index.ts";
import { parseEtcdEndpoints } from "./etcd/access.ts";
import { createLayout } from "./etcd/layouts.ts";
import { readContent } from "./file/reader.ts";
import { readKubeconfig } from "./kubernetes/kubeconfig-file.ts";
import { createKubernetesSource } from "./kubernetes/source.ts";
import { parseRegistrationTarget } from "./registration-target.ts";
import { parseTarget, targetSchemes } from "./target.ts";

const secret = "hunTer2secreT";

const access = {
  server: new URL("http://127.0.0.1:1"),
  namespace: "n",
  credentials: async () => ({ headers: {}, tls: {} }),
};

/** The message of what `work` throws; "" if it throws nothing. */
async function errorOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return "";
  } catch (error) {
    return String((error as Error).stack) + String((error as Error).cause ?? "");
  }
}

/** Escapes none, some or all characters of a text, once or twice. */
const escaped = (text: string): fc.Arbitrary<string> =>
  fc.tuple(fc.constantFrom(0, 1, 2), fc.boolean()).map(([times, isLower]) => {
    let shown = text;
    for (let n = 0; n < times; n++) {
      const whole = shown.replace(/[^\w.-]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
      shown = isLower ? whole : whole.toUpperCase().replaceAll(secret.toUpperCase(), secret);
    }
    return shown;
  });

/** Texts that hold the secret as a user, a password, the value of a parameter or header, a fragment. */
const withSecret = fc
  .tuple(
    fc.constantFrom(
      ...targetSchemes.map((name) => `${name}://`),
      "etcd:",
      "Consul://",
      "https://",
      "//",
      "",
      "consul:///",
    ),
    fc.constantFrom(
      `me:${secret}@`,
      `:${secret}@`,
      `${secret}@`,
      `me:a@${secret}@`,
      `me:${secret}/x@`,
      `me:${secret}?x@`,
      `me:${secret}#x@`,
      `me:x/${secret}@`,
      `me:x?${secret}@`,
      `me@x:${secret}@`,
      "",
    ),
    fc.constantFrom("host", "host:80", "[::1]:80", "host:x", "127.0.0.1,b:1"),
    fc.constantFrom("/svc", "/svc:grpc", "//svc", "/", ""),
    fc.constantFrom(
      `?token=${secret}`,
      `?TOKEN=${secret}`,
      `?password=a&b=${secret}`,
      `?tag=a&token=${secret}`,
      `?tag=a;token=${secret}`,
      `?ttl=5s?token=${secret}`,
      `?token = ${secret}`,
      `?token:${secret}`,
      `;token=${secret}`,
      `&password=${secret}`,
      `#${secret}`,
      `#token=${secret}`,
      ` token=${secret}`,
      ` ${secret}=`,
      "",
    ),
  )
  .filter((parts) => parts.some((part) => part.includes(secret)))
  .chain(([scheme, user, host, path, query]) =>
    fc.tuple(escaped(user), escaped(query)).map(([u, q]) => `${scheme}${u}${host}${path}${q}`),
  );

test("no error about a target, an address or an endpoint repeats a secret, however it is spelled", async () => {
  await assertBounded(
    fc.asyncProperty(withSecret, async (text) => {
      for (const read of [
        () => parseTarget(text),
        () => parseRegistrationTarget(text),
        () => parseAddress(text),
        () => parseEtcdEndpoints([text]),
        () => createConsulSource({ agent: { host: text, port: 1 }, service: "s", credentials: {} }),
        () => createDnsPollSource({ name: text, port: 1 }),
        () => createDnsPollSource({ name: "a", port: 1, server: { host: text, port: 53 } }),
        () => createKubernetesSource({ service: text, access }),
        () => createKubernetesSource({ service: "s", namespace: text, access }),
        () => createLayout({}).prefix(text),
        () => createLayout({ layout: "kratos", namespace: text }),
        () => defineService({ service: text, address: { host: "a", port: 1 } }, {}),
      ]) {
        const message = await errorOf(read);
        assert.ok(!message.includes(secret), message);
      }
      assert.ok(!redactAddress(text).includes(secret), redactAddress(text));
    }),
    1_000,
  );
});

/** Endpoints and kubeconfigs with the secret in each place where text may stand, and one that is broken by it. */
const documents = [
  `endpoints:\n- address: ${secret}\n- {host: "${secret}", port: ${secret}}\nserviceConfig: ${secret}\n`,
  `- "10.0.0.1:80"\n- me:${secret}@host:80\n- &${secret} a\n- *${secret}\n- !${secret} b\n- !<${secret}> c\n- "\\x${secret}"\n`,
  `%${secret} 1\n---\n? ${secret}\n: ${secret}\n${secret}: ${secret}\n${secret}: |\n  ${secret}\n`,
  `[{"targets":["${secret}"],"labels":{"${secret}":"${secret}"}}]`,
  `{"resources":[{"@type":"${secret}","cluster_name":"${secret}","endpoints":["${secret}"]}]}`,
  `current-context: c\ncontexts:\n- {name: c, context: {cluster: k, user: u}}\nclusters:\n- name: k\n  cluster: {server: "https://me:${secret}@h:1"}\nusers:\n- name: u\n  user: {token: ${secret}, password: '${secret}', client-key-data: ${secret}}\n`,
];

test("no error about a file of endpoints or a kubeconfig repeats a secret in it, however it is broken", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "secrets-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "config");
  await assertBounded(
    fc.asyncProperty(mutated(fc.constantFrom(...documents)), async (text) => {
      const message = await errorOf(() => readContent(Buffer.from(text)));
      assert.ok(!message.includes(secret), message);
      await writeFile(path, text);
      const other = await errorOf(() => readKubeconfig(path));
      assert.ok(!other.includes(secret), other);
    }),
    1_000,
  );
});
