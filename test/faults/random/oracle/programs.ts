import { spawn } from "node:child_process";

/** How a program ended. */
export interface ProgramEnd {
  readonly ok: boolean;
  readonly output: string;
  readonly errors: string;
}

/** Runs a line of bash, in which `$1` and so on are the arguments; a failure anywhere in a pipe is one. */
export function shell(
  line: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<ProgramEnd> {
  const child = spawn("bash", ["-c", `set -euo pipefail\n${line}`, "oracle", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env,
  });
  let [output, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject).once("close", (code) => {
      resolve({ ok: code === 0, output, errors });
    });
  });
}
