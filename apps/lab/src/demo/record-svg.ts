/**
 * Generates `apps/lab/demo.svg`: runs the demo in a pseudo terminal (`script` of util-linux), feeds its output to a terminal
 * emulator, and draws the screens. Only the prompt in the first line is not recorded.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTerminal, feed, readCells } from "../terminal/emulator.ts";
import { type Frame, renderSvg } from "../terminal/svg.ts";

const columns = 100;
const rows = 44;
const captureIntervalMs = 300;
const restMs = 8_000;
const path = join(import.meta.dirname, "../../demo.svg");
const prompt = "\x1b[1;32m$\x1b[0m make demo\r\n";

const terminal = createTerminal(columns, rows);
await feed(terminal, prompt);

const demo = `'${process.execPath}' '${join(import.meta.dirname, "main.ts")}'`;
const shell = spawn("script", ["-qfec", `stty cols ${columns} rows ${rows}; ${demo}`, "/dev/null"], {
  env: { PATH: process.env.PATH ?? "", TERM: "xterm-256color" },
  stdio: ["ignore", "pipe", "inherit"],
});
const closed = once(shell, "close");
shell.stdout.on("data", (bytes: Uint8Array) => void feed(terminal, bytes));

const startMs = performance.now();
const frames: Frame[] = [];
const capture = () => frames.push({ atMs: Math.round(performance.now() - startMs), cells: readCells(terminal) });
capture();
const timer = setInterval(capture, captureIntervalMs);
const [code] = await closed;
clearInterval(timer);
if (code !== 0) throw new Error(`the demo exited with code ${code}; ${path} is unchanged`);
await feed(terminal, "");
capture();

const svg = renderSvg({ title: "grpc-lb: make demo", columns, frames, restMs });
await writeFile(path, svg);
process.stdout.write(`${path}: ${frames.length} frames, ${Math.round(svg.length / 1024)} KiB\n`);
