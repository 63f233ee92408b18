import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { snippetsOf } from "../docs/markdown.ts";

/** Each of the CLI's own commands takes a second or two. */
const COMMAND_MS = 60_000;

/** How a command of a page is tried. */
export interface Step {
  /** As the page has it. */
  readonly command: string;
  /** What is run in its place. Default: the command itself. */
  readonly instead?: string | (() => Promise<unknown>);
  /** Why that is, or which of its programs is a stand-in. Default: it is run as it is. */
  readonly because?: string;
}

/** A page's commands, block by block, without what explains them. */
export function typedBlocks(page: string): string[][] {
  return snippetsOf(page)
    .filter(({ language }) => language === "console")
    .map(({ text }) =>
      text
        .split("\n")
        .filter((line) => line.startsWith("$ "))
        .map((line) => line.slice(2).replace(/\s+#\s.*$/, "")),
    );
}

/** The shell of a person who types a page's commands: each finds the folder and the variables that those before it have left. */
export class TypedShell {
  readonly #environment: Readonly<Record<string, string>>;

  /**
   * @param folder where it keeps its state
   * @param workDir where the person begins
   */
  constructor(folder: string, workDir: string, environment: Readonly<Record<string, string>>) {
    const state = join(folder, "state.sh");
    writeFileSync(state, `cd '${workDir}'\n`);
    this.#environment = { ...environment, STATE: state };
  }

  /** Runs a command, and types what it asks for. Gives its standard output. */
  async run(command: string, typed = ""): Promise<string> {
    const script = `. "$STATE"\nset -ae\n${command}\n{ export -p; printf "cd '%s'\\n" "$PWD"; } > "$STATE"\n`;
    const running = promisify(execFile)("/bin/sh", ["-c", script], {
      env: { ...process.env, ...this.#environment },
      timeout: COMMAND_MS,
      maxBuffer: 2 ** 24,
    });
    // A command that has ended by then reads nothing.
    running.child.stdin?.once("error", () => undefined).end(typed);
    return (await running).stdout;
  }

  /** Runs commands as their steps say. Gives a line on how each was run. */
  async follow(commands: readonly string[], steps: readonly Step[]): Promise<string[]> {
    const account: string[] = [];
    for (const command of commands) {
      const { instead = command, because = "as it is" } = steps.find((each) => each.command === command) ?? {};
      if (typeof instead === "string") await this.run(instead);
      else await instead();
      account.push(`${command}: ${because}`);
    }
    return account;
  }
}
