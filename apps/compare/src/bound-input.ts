import type { ClientNews } from "./client-line.ts";
import type { Input } from "./input.ts";

/** No name of an object in Kubernetes is longer: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
export const maxNameLength = 253;
/** The longest sentence or error that the page shows. */
export const maxTextLength = 500;
/** `[address]:port`, with a zone. */
const maxPeerLength = 80;

/** A copy: a part of a string would keep the whole line in memory. */
const cut = (text: string, maxLength: number) => Buffer.from(text.slice(0, maxLength)).toString();
const name = (text: string) => cut(text, maxNameLength);
const sentence = (text: string) => cut(text, maxTextLength);

/** Cuts all that is kept of an input. The line of a client is read and not kept, so it stays whole; see {@link boundNews}. */
export function boundInput(input: Input): Input {
  switch (input.t) {
    case "hello": {
      const actions = input.actions.map((action) => ({
        ...{ name: name(action.name), label: name(action.label), key: name(action.key), help: sentence(action.help) },
      }));
      return { ...input, title: sentence(input.title), actions };
    }
    case "client":
      return { ...input, name: name(input.name), way: sentence(input.way), why: sentence(input.why) };
    case "line":
      return { ...input, client: name(input.client) };
    case "pod":
      return { ...input, pod: name(input.pod), node: name(input.node), zone: name(input.zone) };
    case "endpoints":
      return { ...input, pods: input.pods.map(name) };
    case "scene":
    case "note":
      return { ...input, text: sentence(input.text) };
  }
}

/** Cuts all that is kept of a client's line. */
export function boundNews(news: ClientNews): ClientNews {
  switch (news.t) {
    case "call":
      return { ...news, pod: news.pod === null ? null : name(news.pod), error: sentence(news.error) };
    case "opened":
      return { ...news, peer: cut(news.peer, maxPeerLength) };
    default:
      return news;
  }
}
