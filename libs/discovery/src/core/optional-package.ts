import { describeMissingPackage } from "@grpc-lb/core";

/** The packages that only some sources need, with the versions that work: the optional peers in package.json. */
export const optionalPackages: Readonly<Record<string, string>> = {
  "@grpc/grpc-js": "^1.14.0",
  "@kubernetes/client-node": "^2.0.0",
  "openid-client": "^6.0.0",
  yaml: "^2.3.0",
};

/**
 * Loads a module that is, or needs, an optional package.
 *
 * @param user who needs it, for the message: `@grpc-lb/discovery/etcd`
 * @param load imports it: `() => import("yaml")`
 * @throws Error that names the package and the command that installs it, when it is missing; else what `load` throws
 */
export async function loadOptional<T>(user: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw describeMissingPackage(error, user, optionalPackages);
  }
}
