/** Why services are not served as they are configured. */
export interface PublisherProblem {
  /**
   * - `source`: a source has an error: its endpoints may be old.
   * - `missing`: a source has not answered yet: its endpoints are not served, nor are the others of its priority.
   * - `endpoints`: some of the endpoints cannot be served, and are left out.
   * - `resources`: the resources are not consistent, and are not served. Cannot happen for a checked configuration.
   */
  readonly t: "source" | "missing" | "endpoints" | "resources";
  /** Those that it concerns. */
  readonly services: readonly string[];
  /** One line. */
  readonly reason: string;
}

/** Who is told of problems. */
export interface ProblemListener {
  /** Called once for each new problem, and with the services alone that an old one concerns as well. */
  onProblem(problem: PublisherProblem): void;
  /** Called when a problem is over; not for what has left the configuration. */
  onSolved?(problem: PublisherProblem): void;
}

/** The last problem of each target and service, so that it is reported once, and again after it was gone. */
export class Problems {
  readonly #listener: ProblemListener;
  readonly #problems = new Map<string, PublisherProblem>();

  constructor(listener: ProblemListener) {
    this.#listener = listener;
  }

  has(key: string): boolean {
    return this.#problems.has(key);
  }

  /** @param problem undefined for none */
  report(key: string, problem: PublisherProblem | undefined): void {
    const before = this.#problems.get(key);
    if (problem) {
      this.#problems.set(key, problem);
      const isSame = before?.reason === problem.reason;
      const services = isSame ? problem.services.filter((name) => !before.services.includes(name)) : problem.services;
      if (!isSame || services.length > 0) this.#listener.onProblem({ ...problem, services });
    } else if (before) {
      this.#problems.delete(key);
      this.#listener.onSolved?.(before);
    }
  }

  /** Forgets those of other targets and services. */
  retain(isKept: (key: string) => boolean): void {
    for (const key of this.#problems.keys()) if (!isKept(key)) this.#problems.delete(key);
  }
}
