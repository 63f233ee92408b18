import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../tests/imports.ts";

/** The line with which the demo's account of its steps begins. */
const ACCOUNT = "\nWhat was done\n";

/**
 * Runs the demo, and gives the end of what it printed as a block of Markdown.
 *
 * @throws Error where the demo fails.
 */
export async function recordDemo(): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, "tools/demo.ts")], {
    maxBuffer: 64 << 20,
  });
  const from = stdout.indexOf(ACCOUNT);
  if (from < 0) throw new Error("The demo printed no account of its steps.");
  return ["```text", stdout.slice(from).trim(), "```"].join("\n");
}
