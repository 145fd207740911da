import { createKubectl, type Kubectl } from "../cluster/kubectl.ts";
import { until } from "./until.ts";

/** One series of the result of a query. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The Prometheus of the cluster, in the namespace `monitoring`, asked through the API server. */
export class Prometheus {
  /** In the namespace `monitoring`. */
  readonly kubectl: Kubectl;

  private constructor(kubectl: Kubectl) {
    this.kubectl = kubectl;
  }

  /** Undefined if the cluster has none. */
  static async find(): Promise<Prometheus | undefined> {
    const kubectl = await createKubectl("monitoring");
    const { code } = await kubectl.try(["get", "service", "prometheus", "prometheus-adapter"]);
    return code === 0 ? new Prometheus(kubectl) : undefined;
  }

  /** Evaluates a query now. */
  async query(query: string): Promise<readonly Sample[]> {
    const path = `/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query?query=${encodeURIComponent(query)}`;
    type Series = { metric: Record<string, string>; value: [number, string] };
    const { data } = JSON.parse(await this.kubectl.run(["get", "--raw", path]));
    return data.result.map(({ metric, value }: Series) => ({ metric, value: Number(value[1]) }));
  }

  /** Waits until a query has a result that satisfies `isWanted`, and returns it. */
  async waitFor(
    query: string,
    limitMs: number,
    isWanted: (samples: readonly Sample[]) => boolean = (samples) => samples.length > 0,
  ): Promise<readonly Sample[]> {
    return until(query, limitMs, async () => {
      const samples = await this.query(query);
      return isWanted(samples) ? { value: samples } : { seen: JSON.stringify(samples).slice(0, 500) };
    });
  }

  /** Sets a key of a ConfigMap in `monitoring`, and returns a function that puts back what was there. */
  async configure(name: string, key: string, text: string): Promise<() => Promise<void>> {
    const set = async (value: string | null) => {
      await this.kubectl.run([
        "patch",
        "configmap",
        name,
        "--type=merge",
        "-p",
        JSON.stringify({ data: { [key]: value } }),
      ]);
    };
    const before = (await this.kubectl.get(["configmap", name])).data?.[key] ?? null;
    await set(text);
    return () => set(before);
  }
}
