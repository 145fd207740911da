import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import type { Address } from "../../src/core/snapshot.ts";

/** Asks an agent, fake or real, on a connection that ends with the answer. @throws Error for an answer other than 200 */
export async function askAgent(
  { host, port }: Address,
  method: "GET" | "PUT",
  path: string,
  { body, token }: { readonly body?: object; readonly token?: string | undefined } = {},
): Promise<string> {
  const headers = { ...(token !== undefined && { "x-consul-token": token }) };
  const asked = request({ host, port, method, path, headers, agent: false });
  asked.end(body === undefined ? "" : JSON.stringify(body));
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  if (response.statusCode !== 200) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
  return text;
}
