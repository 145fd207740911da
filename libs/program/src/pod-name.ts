import { printableLine } from "@grpc-lb/core";

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/: at most 253 characters. */
const maxLength = 253;

/**
 * Checks the pod name in a server's answer: one word of 1 to 253 printable characters.
 *
 * @returns `text`
 * @throws Error that shows the beginning of `text`, safe for a terminal
 */
export function parsePodName(text: string): string {
  if (text.length > 0 && text.length <= maxLength && !/[\s\p{C}]/u.test(text)) return text;
  throw new Error(`the answer is not a pod name: "${printableLine(text, 80)}"`);
}
