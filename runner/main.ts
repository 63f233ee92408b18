import { inJson } from "../providers/visible.ts";
import { commandLine } from "./cli/command-line.ts";
import { EXIT } from "./run/exit-codes.ts";

await commandLine(({ exitCode, message }) => {
  // Help and version were asked for; anything else is wrong usage, which commander has explained to people.
  if (exitCode === 0) process.exit(EXIT.done);
  if (process.argv.includes("--json")) {
    const text = message.startsWith("error: ") ? message.slice("error: ".length) : "No command was named.";
    const error = {
      code: "CONFIG",
      message: text,
      fix: "Read the usage: provision help, or provision help <command>.",
    };
    process.stdout.write(inJson(JSON.stringify({ error }, null, 2)) + "\n");
  }
  process.exit(EXIT.config);
}).parseAsync();
