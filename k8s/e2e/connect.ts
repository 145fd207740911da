import type { Kubectl } from "../cluster/kubectl.ts";

/** What became of a TCP connection: a NetworkPolicy drops it, and a port without a listener refuses it. */
export type Outcome = "connected" | "refused" | "dropped";

/** Tries a connection from a pod to each address, `host:port`, all at the same time, each for at most two seconds. */
export async function connectFrom(
  kubectl: Kubectl,
  pod: string,
  addresses: readonly string[],
): Promise<readonly Outcome[]> {
  const script = `
    const attempt = (address) => new Promise((resolve) => {
      const at = address.lastIndexOf(":");
      const socket = require("node:net").connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
      const end = (outcome) => { clearTimeout(timer); socket.destroy(); resolve(outcome); };
      const timer = setTimeout(end, 2000, "dropped");
      socket.once("connect", () => end("connected"));
      socket.once("error", (error) => end(error.code === "ECONNREFUSED" ? "refused" : error.message));
    });
    Promise.all(${JSON.stringify(addresses)}.map(attempt)).then((all) => console.log(JSON.stringify(all)));`;
  return JSON.parse(await kubectl.run(["exec", pod, "--", "node", "-e", script]));
}
