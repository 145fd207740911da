import { createHash, timingSafeEqual } from "node:crypto";
import { describeReadFailure, messageOf, readTextFile, showFileName } from "@grpc-lb/core";
import { fileFlag, ProgramError } from "@grpc-lb/program";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { AdminRoutes } from "../admin/admin-server.ts";
import type { FaultInjector } from "./fault-injector.ts";
import { parseFaults } from "./faults.ts";

/** The flag of a server that faults can be injected into. */
export const faultFlags = {
  faultsTokenFile: fileFlag({
    help: "token for /faults of the admin port, which injects faults; without it there is no /faults",
  }),
};

const maxBodyBytes = 1_024;
/** A token that can be guessed would let others break the server. */
const minTokenLength = 16;

/**
 * Reads the token of a file.
 *
 * @throws Error with the reason, which has nothing of the token
 */
async function readToken(path: string): Promise<string> {
  const token = (await readTextFile(path, { maxBytes: 65_536 })).trim();
  if (token.length < minTokenLength) throw new Error(`a token has at least ${minTokenLength} characters`);
  return token;
}

/**
 * Checks at the start that the file has a token.
 *
 * @throws ProgramError with exit code 2
 */
export async function requireFaultsToken(path: string): Promise<void> {
  await readToken(path).catch((cause: unknown) => {
    throw new ProgramError(`--faults-token-file ${showFileName(path)} cannot be used: ${describeReadFailure(cause)}`, {
      cause,
      exitCode: 2,
    });
  });
}

/** Where the token is, and what changes. */
export interface FaultRoutesOptions {
  readonly injector: FaultInjector;
  /** Read with each request. */
  readonly tokenFile: string;
}

/**
 * `GET /faults` shows the faults, `PUT /faults` replaces them by those of its body, `DELETE /faults` ends them. Each needs
 * `authorization: Bearer` with the token of the file, and answers with the faults of now in one line.
 * Once the injector is closed, `PUT` answers 409.
 */
export function faultRoutes({ injector, tokenFile }: FaultRoutesOptions): AdminRoutes {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "string", bodyLimit: maxBodyBytes }, (_request, body, done) =>
      done(null, body),
    );
    app.addHook("onRequest", async (request, reply) => requireToken(request, reply, tokenFile));
    app.get("/faults", (_request, reply) => reply.type("text/plain").send(`${injector.describe()}\n`));
    app.put("/faults", { bodyLimit: maxBodyBytes }, (request, reply) => {
      reply.type("text/plain");
      try {
        injector.set(parseFaults(typeof request.body === "string" ? request.body : ""));
      } catch (error) {
        return reply.code(injector.isClosed ? 409 : 400).send(`${messageOf(error)}\n`);
      }
      return reply.send(`${injector.describe()}\n`);
    });
    app.delete("/faults", (_request, reply) => {
      injector.clear();
      return reply.type("text/plain").send(`${injector.describe()}\n`);
    });
  };
}

async function requireToken({ raw }: FastifyRequest, reply: FastifyReply, tokenFile: string): Promise<void> {
  const [header, ...others] = raw.headersDistinct.authorization ?? [];
  const given = others.length === 0 ? /^Bearer +([\x21-\x7e]+)$/i.exec(header ?? "")?.[1] : undefined;
  let token: string;
  try {
    token = await readToken(tokenFile);
  } catch (error) {
    await reply
      .code(503)
      .type("text/plain")
      .send(`the token file cannot be used: ${describeReadFailure(error)}\n`);
    return;
  }
  if (given !== undefined && timingSafeEqual(digest(given), digest(token))) return;
  await reply
    .code(401)
    .header("www-authenticate", "Bearer")
    .type("text/plain")
    .send("needs authorization: Bearer with the token of --faults-token-file\n");
}

/** Of equal length for every text, as the comparison needs it. */
const digest = (text: string) => createHash("sha256").update(text).digest();
