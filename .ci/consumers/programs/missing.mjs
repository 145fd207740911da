// Imports entries and uses targets whose optional package is not installed: missing.mjs ENTRY-OR-TARGET… It writes the messages.
import { createSource } from "@grpc-lb/discovery";

async function messageOf(use) {
  try {
    if (use.startsWith("@")) await import(use);
    else for await (const { error } of createSource(use).watch()) if (error) throw error;
    return "no error";
  } catch (error) {
    return error.message;
  }
}

const messages = [];
for (const use of process.argv.slice(2)) messages.push(await messageOf(use));
process.stdout.write(JSON.stringify(messages));
