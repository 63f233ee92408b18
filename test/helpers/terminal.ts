import { spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { expect } from "vitest";

/** What is typed, once a question stands on the terminal. */
export type Turn = readonly [question: RegExp, answer: string];

/**
 * Runs a shell's command at a pseudo-terminal, by the program `script`. Each answer is typed once its question stands there; `\u0003`
 * is Ctrl-C.
 *
 * @returns the exit code, and all that the terminal has shown without its control sequences
 */
export async function atTerminal(
  command: string,
  environment: Readonly<Record<string, string>>,
  turns: readonly Turn[] = [],
): Promise<{ code: number | null; text: string }> {
  const child = spawn("script", ["--quiet", "--flush", "--return", "--command", command, "/dev/null"], {
    env: { TERM: "xterm", ...environment },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let text = "";
  let heard = 0;
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += stripVTControlCharacters(piece)));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  for (const [question, answer] of turns) {
    await expect.poll(() => text.slice(heard), { timeout: 30_000 }).toMatch(question);
    heard = text.length;
    child.stdin.write(answer === "\u0003" ? answer : `${answer}\r`);
  }
  return { code: await ended, text };
}
