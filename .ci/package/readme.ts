import { posix } from "node:path";

const repository = "https://github.com/grpc-lb/grpc-lb";

/** Makes the relative links of a README absolute: a package's page is not in the repository. */
export function absoluteLinks(text: string, folder: string): string {
  return text.replaceAll(/\]\((?!https?:|#|mailto:)([^)\s]+)\)/g, (_all, link: string) => {
    const path = posix.join(folder, link);
    return `](${repository}/blob/main/${path})`;
  });
}
