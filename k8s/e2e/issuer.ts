import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import type { CertificatePair } from "@grpc-lb/core/testing";
import type { Kubectl } from "../cluster/kubectl.ts";
import { putFile } from "./exec.ts";

const file = "/dev/shm/jwks";
const port = 8080;

/** The claim `iss` of the tokens that `SigningKey` signs. */
export const issuerName = "https://issuer.test";

/** A key of an issuer of tokens. */
export class SigningKey {
  readonly #id: string;
  readonly #privateKey: KeyObject;
  /** The public key, for the JWKS. */
  readonly jwk: object;

  constructor(id: string) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#id = id;
    this.#privateKey = privateKey;
    this.jwk = { ...publicKey.export({ format: "jwk" }), kid: id, alg: "ES256", use: "sig" };
  }

  /** Signs a token that is valid for an hour, unless the claims say otherwise. */
  sign(claims: Readonly<Record<string, unknown>>): string {
    const now = Math.floor(Date.now() / 1_000);
    const payload = { iss: issuerName, iat: now, exp: now + 3_600, ...claims };
    const text = [{ alg: "ES256", kid: this.#id }, payload]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    const signature = sign("SHA256", Buffer.from(text), { key: this.#privateKey, dsaEncoding: "ieee-p1363" });
    return `${text}.${signature.toString("base64url")}`;
  }
}

/** A server with the keys of an issuer, in a pod of its own. */
export interface Issuer {
  /** Of the keys, for `AUTH_JWKS`. */
  readonly url: string;
  /** Replaces the keys. */
  publish(keys: readonly SigningKey[]): Promise<void>;
  /** The addresses of those that have read the keys, one for each time, since the last `publish`. */
  readers(): Promise<readonly string[]>;
}

/**
 * Starts it from an image with Node. Without keys it answers 503.
 *
 * @param pair of the host `issuer`: a server reads keys by https alone
 */
export async function startIssuer(kubectl: Kubectl, image: string, pair: CertificatePair): Promise<Issuer> {
  const script = `
    const { readFileSync } = require("node:fs");
    process.on("SIGTERM", () => process.exit());
    const { createSecureContext } = require("node:tls");
    const read = (name) => readFileSync("${file}." + name);
    const SNICallback = (_host, done) => done(null, createSecureContext({ cert: read("crt"), key: read("key") }));
    require("node:https").createServer({ SNICallback }, ({ socket }, answer) => {
      try {
        const { round, keys } = JSON.parse(readFileSync("${file}", "utf8"));
        answer.end(JSON.stringify({ keys }));
        console.log(round + " " + socket.remoteAddress.replace("::ffff:", ""));
      } catch { answer.writeHead(503).end(); }
    }).listen(${port});`;
  const flags = [`--image=${image}`, "--image-pull-policy=IfNotPresent", `--port=${port}`, "--expose"];
  await kubectl.run(["run", "issuer", ...flags, "--command", "--", "node", "-e", script]);
  await kubectl.run(["wait", "--for=condition=Ready", "pod/issuer", "--timeout=120s"]);
  for (const [name, path] of [
    ["crt", pair.certFile],
    ["key", pair.keyFile],
  ] as const)
    await putFile(kubectl, "pod/issuer", `${file}.${name}`, readFileSync(path, "utf8"));
  let round = 0;
  return {
    url: `https://issuer:${port}/jwks`,
    async publish(keys) {
      round += 1;
      await putFile(kubectl, "pod/issuer", file, JSON.stringify({ round, keys: keys.map(({ jwk }) => jwk) }));
    },
    async readers() {
      const lines = (await kubectl.run(["logs", "pod/issuer", "--tail=-1"])).split("\n");
      return lines.filter((line) => line.startsWith(`${round} `)).map((line) => line.split(" ")[1] ?? "");
    },
  };
}
