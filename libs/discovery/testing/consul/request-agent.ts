import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import type { Address } from "../../src/core/snapshot.ts";

/** Sends a request to an agent, fake or real, on its own connection. @throws Error for an answer other than 200 */
export async function requestAgent(
  { host, port }: Address,
  method: "GET" | "PUT",
  path: string,
  { body, token }: { readonly body?: object; readonly token?: string | undefined } = {},
): Promise<string> {
  const headers = { ...(token !== undefined && { "x-consul-token": token }) };
  const sent = request({ host, port, method, path, headers, agent: false });
  sent.end(body === undefined ? "" : JSON.stringify(body));
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  if (response.statusCode !== 200) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
  return text;
}
