import type { TestContext } from "node:test";

/** Sets variables of the environment until the end of a test; undefined removes one. */
export function setEnvironment(t: TestContext, variables: Readonly<Record<string, string | undefined>>): void {
  const set = (name: string, value: string | undefined) => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  for (const [name, value] of Object.entries(variables)) {
    const before = process.env[name];
    set(name, value);
    t.after(() => set(name, before));
  }
}
