"use strict";
// Requires entries and uses targets whose optional package is not installed: missing.cjs ENTRY-OR-TARGET… It writes the messages.
const { createSource } = require("@grpc-lb/discovery");

async function messageOf(use) {
  try {
    if (use.startsWith("@")) require(use);
    else for await (const { error } of createSource(use).watch()) if (error) throw error;
    return "no error";
  } catch (error) {
    return error.message;
  }
}

async function main() {
  const messages = [];
  for (const use of process.argv.slice(2)) messages.push(await messageOf(use));
  process.stdout.write(JSON.stringify(messages));
}

void main();
