import { isIP } from "node:net";

/** The addresses that a text in the format of hosts(5) gives a name, in its order, each once. */
export function addressesInHosts(text: string, name: string): readonly string[] {
  const wanted = name.replace(/\.$/, "").toLowerCase();
  const found = text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    return isIP(address) && names.some((each) => each.toLowerCase() === wanted) ? [address] : [];
  });
  return [...new Set(found)];
}
