import { parseAddress } from "../core/address.ts";
import type { Instance } from "../core/registration.ts";
import { isWeight, maxWeight } from "../core/weight.ts";
import type { Layout } from "./layout.ts";
import { endpointsLayout } from "./layout-endpoints.ts";
import { kratosLayout } from "./layout-kratos.ts";

/** Whose keys and values: those of etcd's own `client/v3/naming/endpoints`, or of kratos's registry. */
export type LayoutName = "endpoints" | "kratos";

const layouts: Readonly<Record<LayoutName, Layout>> = { endpoints: endpointsLayout, kratos: kratosLayout };

/** @throws RangeError for a name that no layout has */
export function layoutOf(name: LayoutName = "endpoints"): Layout {
  const layout = Object.hasOwn(layouts, name) ? layouts[name] : undefined;
  if (!layout) throw new RangeError(`layout must be endpoints or kratos, got "${name}"`);
  return layout;
}

/** @throws RangeError for a service whose keys could not be told from others' */
export function validateService(service: string): string {
  if (service.split("/").includes("")) {
    throw new RangeError(`service must be a name without empty parts, got "${service}"`);
  }
  return service;
}

/** A whole instance must be one that clients can reach. */
export function validateInstance(instance: Instance): Instance {
  const { host, port } = instance.address;
  try {
    parseAddress(`${host.includes(":") ? `[${host}]` : host}:${port}`);
  } catch (cause) {
    throw new RangeError(`address ${(cause as Error).message}`, { cause });
  }
  if (/^(0\.0\.0\.0|::|0:0:0:0:0:0:0:0)$/.test(host)) {
    throw new RangeError(`address must be one that clients can reach, got "${host}"`);
  }
  const { weight = 1 } = instance;
  if (!isWeight(weight)) throw new RangeError(`weight must be a number from 0 to ${maxWeight}, got ${weight}`);
  return instance;
}
