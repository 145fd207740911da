/** Colours of the palette in styles.css, `--pod-0` and so on, that people with any kind of colour vision tell apart. */
const colours = 6;
/** Patterns of styles.css: plain, diagonal, dotted, crossed. */
const patterns = 4;

/** How a pod looks: its colour and pattern repeat only after 24 pods, and its letter never. */
export function podLook(index: number): { readonly colour: number; readonly className: string } {
  const colour = index % colours;
  // A new pattern also within the first colours, so that neighbours differ in both.
  const pattern = (index + Math.floor(index / colours)) % patterns;
  return { colour, className: `pod-${colour} pattern-${pattern}` };
}

/** The end of a pod's name tells it from the others of its Deployment. */
export function shortName(name: string): string {
  return name.length <= 12 ? name : `…${name.slice(-5)}`;
}
