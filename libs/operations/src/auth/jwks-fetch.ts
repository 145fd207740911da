import { readTextFile, systemClock, unbracketHost } from "@grpc-lb/core";
import { HttpClient, RequestGuard } from "@grpc-lb/core/http";

/** How the keys of an issuer are fetched. */
export interface JwksFetchOptions {
  /** A file with the authorities of the server's certificate in PEM, read with each fetch. Default: those of Node. */
  readonly caFile?: string | undefined;
  /** A file with the token for the request, read with each fetch. Default: none. */
  readonly tokenFile?: string | undefined;
}

const timeoutMs = 5_000;
/** A Kubernetes API server answers 406 to `application/json` alone. */
const accept = "application/jwk-set+json, application/json";
/** Far more than the keys of any issuer. */
const maxLength = 1_048_576;

/**
 * Creates a `fetch` for the keys of an issuer, such as a Kubernetes API server's `/openid/v1/jwks`, which wants a CA and a token. It knows GET
 * only, follows no redirect, and ends within 5 s.
 */
export function createJwksFetch(files: JwksFetchOptions): typeof fetch {
  return (input, init) => get(new URL(input instanceof Request ? input.url : input), files, init?.signal ?? undefined);
}

async function get(
  url: URL,
  { caFile, tokenFile }: JwksFetchOptions,
  signal = new AbortController().signal,
): Promise<Response> {
  const ca = caFile === undefined ? {} : { ca: await readTextFile(caFile, { signal }) };
  const token = tokenFile === undefined ? undefined : (await readTextFile(tokenFile, { signal })).trim();
  const isSecure = url.protocol === "https:";
  const client = new HttpClient({ isSecure, keepAlive: false, background: true });
  const guard = new RequestGuard(signal, systemClock, timeoutMs);
  guard.allow(timeoutMs);
  const request = {
    host: unbracketHost(url.hostname),
    port: Number(url.port) || (isSecure ? 443 : 80),
    path: `${url.pathname}${url.search}`,
    headers: { accept, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    tls: ca,
  };
  try {
    return await guard.race(
      client.exchange(request, guard, async (answer) => {
        if (answer.status !== 200) throw new Error(`${answer.status} ${answer.phrase}`.trimEnd());
        return new Response(await answer.text(maxLength));
      }),
    );
  } catch (error) {
    throw guard.signal.aborted ? guard.signal.reason : error;
  } finally {
    guard.release();
    client.close();
  }
}
