import type { CallerProcess } from "./caller-process.ts";
import type { Usage } from "./usage.ts";

/** One way from the client to the pods. */
export interface Way {
  readonly name: string;
  /** The way that it is compared with. */
  readonly reference: string;
  readonly caller: CallerProcess;
  /** What stands between the client and the pods has used. */
  usage(): Promise<Usage>;
}

/** The client balances: nothing stands between. */
export const nothing: Usage = { cpuUs: 0, rssBytes: 0 };
