import type { ServerInterceptor } from "@grpc/grpc-js";
import {
  describeReadFailure,
  isProtectedUrl,
  readTextFile,
  requireFileName,
  showFileName,
  systemClock,
} from "@grpc-lb/core";
import type { KeySource, ServerAuthOptions, TokenVerifier } from "@grpc-lb/interceptors/jwt";
import { type Flag, type FlagValues, fileFlag, listFlag, ProgramError, refuseFlags, textFlag } from "@grpc-lb/program";
import type { OnRefused } from "../logs/limit-reports.ts";
import { waitForKeys } from "./first-keys.ts";
import { createJwksFetch } from "./jwks-fetch.ts";
import { createSubjectCheck } from "./subjects.ts";

const jwksFlag: Flag<string> = {
  metavar: "jwks",
  help: "keys of the issuer of tokens, a URL or a file; with it every call but probes and reflection needs a token",
  default: "",
  defaultText: "none",
  parse(text) {
    const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
    const isUrl = scheme === "https" || scheme === "http";
    const url = isUrl ? URL.parse(text) : null;
    if (text.trim() === "" || (scheme !== undefined && !url)) throw new RangeError("must be an https URL or a file");
    if (url && (url.username !== "" || url.password !== "")) throw new RangeError("must not have a user or a password");
    // Who can change the answer can have every token accepted.
    if (url && !isProtectedUrl(url)) {
      throw new RangeError("must be an https URL or a file; http is for this machine alone");
    }
    if (!url) requireFileName(text);
    return text;
  },
};

/** The flags of a server that checks tokens. */
export const serverAuthFlags = {
  authJwks: jwksFlag,
  authIssuer: textFlag({ metavar: "issuer", help: "the claim iss of tokens", default: "" }),
  authAudience: textFlag({ metavar: "audience", help: "what the claim aud of tokens must contain", default: "" }),
  authSubjects: {
    ...listFlag(
      textFlag({
        metavar: "pattern",
        help: "accepted claims sub of tokens, * for any text, such as system:serviceaccount:default:*",
        default: "",
      }),
    ),
    defaultText: "every subject",
  },
  authJwksCa: {
    ...fileFlag({ help: "authorities of the certificate of the URL in PEM" }),
    defaultText: "those of Node",
  },
  authJwksTokenFile: fileFlag({ help: "token for the URL, as a Kubernetes API server wants it" }),
};

/** The values of those flags. */
export type ServerAuthValues = FlagValues<typeof serverAuthFlags>;

/** The check of the tokens of a server. */
export interface ServerAuth {
  readonly interceptor: ServerInterceptor;
  readonly verify: TokenVerifier;
  /** For the reports of another protocol than gRPC: `createHttpAuth(verify, onRefused)`. */
  readonly onRefused: ServerAuthOptions["onRefused"];
  /** Reads the keys, and again every 5 s until they were read once or `signal` is aborted: before, every call fails. Never rejects. */
  waitForKeys(signal: AbortSignal): Promise<void>;
}

/**
 * Creates the check by the flags; undefined without them.
 *
 * @param onProblem called with the reason why keys cannot be read, once until it changes, and whether `waitForKeys` has read them before
 * @param onRefused called for each call that is refused, with the reason and the client's address; `limitReports` makes it a line a minute
 * @throws ProgramError with exit code 2 for flags that need another, and for a file without keys
 */
export async function openServerAuth(
  flags: ServerAuthValues,
  onProblem: (message: string, hasKeys: boolean) => void,
  onRefused: OnRefused = () => {},
): Promise<ServerAuth | undefined> {
  const { authJwks, authIssuer: issuer, authAudience: audience, authSubjects } = flags;
  if (authJwks === "") {
    const claims = { "--auth-issuer": issuer, "--auth-audience": audience, "--auth-subjects": authSubjects };
    const files = { "--auth-jwks-ca": flags.authJwksCa, "--auth-jwks-token-file": flags.authJwksTokenFile };
    for (const [flag, value] of Object.entries({ ...claims, ...files })) {
      if (value.length > 0) refuseFlags(`${flag} has no effect without --auth-jwks`);
    }
    return undefined;
  }
  if (issuer === "" || audience === "") refuseFlags("--auth-jwks needs --auth-issuer and --auth-audience");
  let hasKeys = false;
  const jwks = await openKeys(flags, (message) => onProblem(message, hasKeys));
  const { createServerAuth, createTokenVerifier } = await import("@grpc-lb/interceptors/jwt");
  const authorize = authSubjects.length > 0 ? createSubjectCheck(authSubjects) : undefined;
  const options = { jwks, issuer, audience, authorize };
  const verify = createTokenVerifier(options);
  return {
    interceptor: createServerAuth({ ...options, onRefused }),
    verify,
    onRefused,
    async waitForKeys(signal) {
      await waitForKeys(verify, systemClock, signal);
      hasKeys = !signal.aborted;
    },
  };
}

async function openKeys(flags: ServerAuthValues, onProblem: (message: string) => void): Promise<KeySource> {
  const { authJwks, authJwksCa, authJwksTokenFile } = flags;
  if (!/^https?:\/\//i.test(authJwks)) {
    if (authJwksCa !== "") refuseFlags("--auth-jwks-ca needs an https URL in --auth-jwks");
    if (authJwksTokenFile !== "") refuseFlags("--auth-jwks-token-file needs an https URL in --auth-jwks");
    await requireKeys(authJwks);
    return { file: authJwks, onProblem };
  }
  const isSecure = /^https:/i.test(authJwks);
  if (!isSecure && authJwksTokenFile !== "") refuseFlags("--auth-jwks-token-file needs an https URL in --auth-jwks");
  const files = { caFile: authJwksCa || undefined, tokenFile: authJwksTokenFile || undefined };
  return { url: authJwks, fetch: createJwksFetch(files), onProblem };
}

async function requireKeys(path: string): Promise<void> {
  try {
    const { keys } = JSON.parse(await readTextFile(path)) as { readonly keys?: unknown };
    if (!Array.isArray(keys)) throw new Error('it has no list "keys"');
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? "it is not valid JSON" : describeReadFailure(cause);
    throw new ProgramError(`--auth-jwks ${showFileName(path)} cannot be used: ${reason}`, { cause, exitCode: 2 });
  }
}
