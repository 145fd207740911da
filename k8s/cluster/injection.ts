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

/** A webhook of a MutatingWebhookConfiguration, as far as it is of use here. */
export interface Webhook {
  readonly namespaceSelector?: Selector;
  readonly objectSelector?: Selector;
}

/** The label that asks Istio for a sidecar, and the one that says which revision's: what inject sets and eject removes. */
export const injectLabel = "sidecar.istio.io/inject";
export const revisionLabel = "istio.io/rev";

/**
 * Finds which labels on a pod make Istio's webhooks take it, by reading their selectors as the API server does: the plain
 * one where there is a default injector, with a revision where injectors are revisioned.
 *
 * @param wanted the revision to take; empty for any, as long as there is only one
 * @returns the labels, or why there are none
 */
export function findInjectionLabels(
  webhooks: readonly Webhook[],
  namespaceLabels: Labels,
  wanted: string,
): { readonly labels: Labels } | { readonly error: string } {
  const takes = (labels: Labels) =>
    webhooks.some(
      ({ namespaceSelector, objectSelector }) =>
        matches(namespaceSelector, namespaceLabels) && matches(objectSelector, labels),
    );

  const plain = { [injectLabel]: "true" };
  if (wanted === "" && takes(plain)) return { labels: plain };
  const known = [...new Set(webhooks.flatMap(({ objectSelector }) => revisionsOf(objectSelector)))];
  const usable = known.filter((revision) => takes({ ...plain, [revisionLabel]: revision }));
  const chosen = usable.filter((revision) => wanted === "" || revision === wanted);
  const [first, second] = chosen;
  if (first !== undefined && second === undefined) return { labels: { ...plain, [revisionLabel]: first } };
  if (first !== undefined)
    return { error: `Istio has the revisions ${chosen.join(", ")}; choose one: ISTIO_REV=${first}` };
  if (wanted !== "" && known.length > 0)
    return { error: `Istio has no revision ${wanted} for this namespace; it has ${known.join(", ")}` };
  const told = Object.entries(namespaceLabels).filter(([key]) => key.startsWith("istio"));
  const labels = told.map(([key, value]) => `${key}=${value}`).join(", ") || "none of Istio's";
  return { error: `Istio takes no pod of this namespace, by its labels (${labels}); choose another: NAMESPACE=…` };
}

/** Whether a selector, as the API server reads it, matches labels; an absent one matches everything. */
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
