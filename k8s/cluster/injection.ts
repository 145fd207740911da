/** Labels of an object. */
export type Labels = Readonly<Record<string, string>>;

/** A label selector as the API writes it. */
export interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** The fields of a MutatingWebhookConfiguration's webhook that are used here. */
export interface Webhook {
  readonly namespaceSelector?: Selector;
  readonly objectSelector?: Selector;
}

/** The labels that inject sets and eject removes: for a sidecar, and for a sidecar of a certain revision. */
export const injectLabel = "sidecar.istio.io/inject";
export const revisionLabel = "istio.io/rev";

/**
 * Finds the pod labels that Istio's webhooks select, by evaluating their selectors as the API server does: the plain label if there
 * is a default injector, with a revision if the injectors have revisions.
 *
 * @param wanted the revision; empty for the only one
 * @returns the labels, or the reason why there are none
 */
export function findInjectionLabels(
  webhooks: readonly Webhook[],
  namespaceLabels: Labels,
  wanted: string,
): { readonly labels: Labels } | { readonly error: string } {
  const selects = (labels: Labels) =>
    webhooks.some(
      ({ namespaceSelector, objectSelector }) =>
        matches(namespaceSelector, namespaceLabels) && matches(objectSelector, labels),
    );

  const plain = { [injectLabel]: "true" };
  if (wanted === "" && selects(plain)) return { labels: plain };
  const known = [...new Set(webhooks.flatMap(({ objectSelector }) => revisionsOf(objectSelector)))];
  const usable = known.filter((revision) => selects({ ...plain, [revisionLabel]: revision }));
  const chosen = usable.filter((revision) => wanted === "" || revision === wanted);
  const [first, second] = chosen;
  if (first !== undefined && second === undefined) return { labels: { ...plain, [revisionLabel]: first } };
  if (first !== undefined)
    return { error: `Istio has the revisions ${chosen.join(", ")}; choose one: ISTIO_REV=${first}` };
  if (wanted !== "" && known.length > 0)
    return { error: `Istio has no revision ${wanted} for this namespace; it has ${known.join(", ")}` };
  const istioLabels = Object.entries(namespaceLabels).filter(([key]) => key.startsWith("istio"));
  const labels = istioLabels.map(([key, value]) => `${key}=${value}`).join(", ") || "none of Istio's";
  return {
    error: `Istio injects no pod of this namespace, because of its labels (${labels}); choose another: NAMESPACE=…`,
  };
}

/** Whether a selector matches labels, by the rules of the API server; an absent one matches everything. */
export function matches(selector: Selector | undefined, labels: Labels): boolean {
  const equal = Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return (
    equal &&
    (selector?.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === "Exists") return value !== undefined;
      if (operator === "DoesNotExist") return value === undefined;
      const isIn = value !== undefined && values.includes(value);
      return operator === "In" ? isIn : !isIn;
    })
  );
}

function revisionsOf(selector: Selector | undefined): readonly string[] {
  const expressions = selector?.matchExpressions ?? [];
  return expressions
    .filter(({ key, operator }) => key === revisionLabel && operator === "In")
    .flatMap(({ values }) => values ?? []);
}
