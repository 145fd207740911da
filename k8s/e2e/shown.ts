import type { Kubectl } from "../cluster/kubectl.ts";
import { makeOk } from "./make.ts";
import { addSecrets, readOutput } from "./output.ts";
import { SecretSearch } from "./secret-search.ts";

/** Everything that a story has seen of the programs, and the secrets that must not be in it. */
export class Shown {
  readonly secrets = new SecretSearch();
  readonly #kubectl: Kubectl;
  readonly #texts: (readonly [source: string, text: string])[] = [];

  constructor(kubectl: Kubectl) {
    this.#kubectl = kubectl;
  }

  /** Adds a text, such as an error. */
  add(source: string, text: string): void {
    this.#texts.push([source, text]);
  }

  /** Runs a target of the Makefile that must succeed, and adds its output. */
  async make(target: string, variables: Readonly<Record<string, string>>): Promise<void> {
    this.add(`make ${target}`, (await makeOk(target, variables)).join("\n"));
  }

  /**
   * Adds what the programs of the namespace show now, and learns the secrets that they have now. To be called before pods or secrets are
   * replaced, and at the end.
   */
  async keep(): Promise<void> {
    await addSecrets(this.#kubectl, this.secrets);
    this.#texts.push(...(await readOutput(this.#kubectl)));
  }

  /** Whether there is a text of such a source with this part. */
  has(source: string, part: string | RegExp): boolean {
    return this.#texts.some(([from, text]) => from.startsWith(source) && text.search(part) >= 0);
  }

  /** Each text with a secret: its source, and the name of the secret. */
  leaks(): readonly string[] {
    return this.#texts.flatMap(([source, text]) => this.secrets.find(text).map((name) => `${source}: ${name}`));
  }

  /** In words: how many secrets and texts there are. */
  describe(): string {
    const length = this.#texts.reduce((sum, [, text]) => sum + text.length, 0);
    return `${this.secrets.names.length} secrets, ${this.#texts.length} texts with ${length} characters`;
  }
}
