/** The commands, flags and variables that the documentation names. */
import { parseBlocks } from "./blocks.ts";

/** A command of a page, or what of one stands in a sentence: `--policy random`, `STRATEGIES=all`. */
export interface Command {
  readonly page: string;
  readonly line: number;
  /** The variables before it: `TARGET=…`. */
  readonly env: readonly Assignment[];
  readonly words: readonly string[];
}

export interface Assignment {
  readonly name: string;
  readonly value: string;
}

const assignment = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s;
const tokens = /\\\n|'[^']*'|"(?:\\.|[^"\\])*"|\$\((?:[^()]|\([^()]*\))*\)|&&|\|\||[\s\S]/g;
const redirection = /^\d?[<>]/;
/** Text between `<<END` and `END`, which is input and no command. */
const hereDocument = /(<<'?(\w+)'?.*)\n[\s\S]*?\n\2$/gm;
/** In a sentence only these begin a command; other code there is a name or an output. */
const inText =
  /^(?:(?:[A-Z][A-Z0-9_]*=\S* )*(?:docker|kubectl|make|node|npm|npx|sh)\s[\w'".-]|(?:[A-Z][A-Z0-9_]*=|--)[^\s=].*$)/s;

/** The commands in blocks of `sh` and after `$ ` in blocks of `console`, and those in sentences. */
export function parseCommands(page: string, text: string): Command[] {
  const inBlocks = parseBlocks(page, text).flatMap(({ language, line, text }) => {
    const lines = text.split("\n");
    if (language === "console")
      return lines.flatMap((each, at) => (each.startsWith("$ ") ? splitCommands(page, line + at, each.slice(2)) : []));
    return language === "sh" ? splitCommands(page, line, text) : [];
  });
  // Blocks keep their lines, so that those of the sentences are the page's.
  const sentences = text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, (block) => block.replaceAll(/[^\n]/g, ""));
  const inSentences = [...sentences.matchAll(/`([^`]+)`/g)].flatMap(({ index, 1: code = "" }) => {
    const line = sentences.slice(0, index).split("\n").length;
    return inText.test(code) ? splitCommands(page, line, code.replaceAll(/\n */g, " ")) : [];
  });
  return [...inBlocks, ...inSentences];
}

/** The commands of a script, as a shell separates them. What `for`, `do` and `then` introduce is a command too. */
function splitCommands(page: string, firstLine: number, script: string): Command[] {
  const commands: Command[] = [];
  let [line, begin] = [firstLine, firstLine];
  let [words, word]: [string[], string | undefined] = [[], undefined];
  const endWord = () => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  const endCommand = () => {
    endWord();
    while (/^(?:do|done|then|fi|else|!)$/.test(words[0] ?? "")) words.shift();
    words = words.filter((each, at) => !redirection.test(each) && !/^\d?[<>]+$/.test(words[at - 1] ?? ""));
    const count = words.findIndex((each) => !assignment.test(each));
    const env = words.splice(0, count < 0 ? words.length : count).map(parseAssignment);
    if (words.length > 0 || env.length > 0) commands.push({ page, line: begin, env, words });
    words = [];
  };
  const commandsOnly = script.replaceAll(hereDocument, (text, first) => first + text.replaceAll(/[^\n]/g, ""));
  for (const [token = ""] of commandsOnly.matchAll(tokens)) {
    if (token === "#" && word === undefined) word = "#";
    if (word?.startsWith("#")) {
      if (token !== "\n") continue;
      word = undefined;
    }
    if (token === "\n" || /^(?:&&?|\|\|?|[;()])$/.test(token)) endCommand();
    else if (/^(?:\s|\\\n)$/.test(token)) endWord();
    else {
      if (words.length === 0 && word === undefined) begin = line;
      word = (word ?? "") + (/^['"]./s.test(token) ? token.slice(1, -1) : token);
    }
    line += token.split("\n").length - 1;
  }
  if (word?.startsWith("#")) word = undefined;
  endCommand();
  return commands;
}

/** @throws Error for a word that sets nothing */
export function parseAssignment(word: string): Assignment {
  const [, name, value] = assignment.exec(word) ?? [];
  if (name === undefined || value === undefined) throw new Error(`${word} sets no variable`);
  return { name, value };
}

/** Whether a word sets a variable. */
export const isAssignment = (word: string): boolean => assignment.test(word);
