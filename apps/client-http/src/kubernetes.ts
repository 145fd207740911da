import type { KubernetesTarget } from "@grpc-lb/discovery";
import { createKubernetesSource } from "@grpc-lb/discovery/kubernetes";
import type { Caller } from "@grpc-lb/program";
import { BalancedDispatcher } from "@grpc-lb/resolver/undici";
import { request } from "undici";
import { getPod } from "./get-pod.ts";

/**
 * Asks the pods of a service one after the other, past the Service: the endpoints are watched, and each keeps its connection.
 * Here it is the client that balances, so a connection may live.
 */
export function callOverEndpoints(target: KubernetesTarget, timeoutMs: number): Caller {
  const { service, namespace, port } = target;
  const where = { service, ...(namespace && { namespace }), ...(port && { port }) };
  const source = createKubernetesSource({ ...where, background: true }); // calls keep the process alive
  const dispatcher = new BalancedDispatcher(source);
  const what = `GET ${source.subject}/pod`;
  return {
    call: () =>
      getPod(what, timeoutMs, async (signal) => {
        const { statusCode, statusText, body } = await request(`http://${service}/pod`, { dispatcher, signal });
        return { status: statusCode, statusText, body };
      }),
    close: () => void dispatcher.destroy(),
  };
}
