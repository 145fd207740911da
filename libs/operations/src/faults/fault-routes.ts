import { createHash, timingSafeEqual } from "node:crypto";
import { describeReadFailure, messageOf, readTextFile, showFileName } from "@grpc-lb/core";
import { fileFlag, ProgramError } from "@grpc-lb/program";
import type { AdminAnswer, AdminRequest, AdminRoutes } from "../admin/routes.ts";
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
  const protectedRoute = {
    path: "/faults",
    maxBodyBytes,
    refuse: ({ headersDistinct }: Pick<AdminRequest, "headersDistinct">) =>
      refuseWithoutToken(headersDistinct.authorization, tokenFile),
  };
  const show = () => ({ body: `${injector.describe()}\n` });
  const replace = ({ body }: AdminRequest) => {
    try {
      injector.set(parseFaults(body));
    } catch (error) {
      return { status: injector.isClosed ? 409 : 400, body: `${messageOf(error)}\n` };
    }
    return show();
  };
  const end = () => {
    injector.clear();
    return show();
  };
  return {
    routes: [
      { ...protectedRoute, method: "GET", answer: show },
      { ...protectedRoute, method: "PUT", answer: replace },
      { ...protectedRoute, method: "DELETE", answer: end },
    ],
  };
}

async function refuseWithoutToken(
  [header, ...others]: readonly string[] = [],
  tokenFile: string,
): Promise<AdminAnswer | undefined> {
  const given = others.length === 0 ? /^Bearer +([\x21-\x7e]+)$/i.exec(header ?? "")?.[1] : undefined;
  let token: string;
  try {
    token = await readToken(tokenFile);
  } catch (error) {
    return { status: 503, body: `the token file cannot be used: ${describeReadFailure(error)}\n` };
  }
  if (given !== undefined && timingSafeEqual(digest(given), digest(token))) return undefined;
  return {
    status: 401,
    headers: { "www-authenticate": "Bearer" },
    body: "needs authorization: Bearer with the token of --faults-token-file\n",
  };
}

/** Of equal length for every text, as the comparison needs it. */
const digest = (text: string) => createHash("sha256").update(text).digest();
