/**
 * Makes `apps/lab/demo.svg`: runs the lab in a real pseudo terminal (`script`, of util-linux), takes in what it paints with
 * a terminal emulator, and draws the screens that a user would have seen. Only the prompt above it is written by hand.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTerminal, feed, readCells } from "../terminal/emulator.ts";
import { type Frame, renderSvg } from "../terminal/svg.ts";

const columns = 100;
const rows = 44;
const captureEveryMs = 300;
const restMs = 8_000;
const picture = join(import.meta.dirname, "../../demo.svg");
const prompt = "\x1b[1;32m$\x1b[0m make demo\r\n";

const terminal = createTerminal(columns, rows);
await feed(terminal, prompt);

const lab = `'${process.execPath}' '${join(import.meta.dirname, "main.ts")}'`;
const shell = spawn("script", ["-qfec", `stty cols ${columns} rows ${rows}; ${lab}`, "/dev/null"], {
  env: { PATH: process.env.PATH ?? "", TERM: "xterm-256color" },
  stdio: ["ignore", "pipe", "inherit"],
});
const ended = once(shell, "close");
shell.stdout.on("data", (bytes: Uint8Array) => void feed(terminal, bytes));

const startedMs = performance.now();
const frames: Frame[] = [];
const capture = () => frames.push({ atMs: Math.round(performance.now() - startedMs), cells: readCells(terminal) });
capture();
const capturing = setInterval(capture, captureEveryMs);
const [code] = await ended;
clearInterval(capturing);
if (code !== 0) throw new Error(`the lab ended with exit code ${code}: no picture of that`);
await feed(terminal, "");
capture();

const svg = renderSvg({ title: "grpc-lb: make demo", columns, frames, restMs });
await writeFile(picture, svg);
process.stdout.write(`${picture}: ${frames.length} frames, ${Math.round(svg.length / 1024)} KiB\n`);
