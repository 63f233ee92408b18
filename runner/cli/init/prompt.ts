import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import { ProviderError } from "../../../providers/errors.ts";
import { onOneLine } from "../../../providers/visible.ts";

/** A question, and what counts as an answer. */
export interface Question<T> {
  readonly text: string;
  /** The answer of an empty line. */
  readonly otherwise?: string | undefined;
  /** Whether what is typed must not be shown. */
  readonly hidden?: boolean;
  /**
   * The value of an answer.
   *
   * @throws ProviderError that says what is wrong with it; the question is asked again
   */
  readonly read: (answer: string) => T | Promise<T>;
}

/** A conversation with a person at a terminal. */
export class Prompt {
  readonly #output: NodeJS.WriteStream;
  readonly #lines: Interface;
  #hidden = false;
  #closed = false;

  /** @throws ProviderError `CONFIG` where nobody can answer */
  constructor(input: NodeJS.ReadStream, output: NodeJS.WriteStream) {
    if (!input.isTTY || !output.isTTY) {
      throw new ProviderError("CONFIG", "provision init asks questions, and there is no terminal.", {
        fix: "Start it in a terminal, or write the job's file by hand: `provision schema` prints what may stand in it.",
      });
    }
    this.#output = output;
    const shown = new Writable({
      write: (piece: Buffer, _encoding, done) => {
        if (!this.#hidden) output.write(piece);
        done();
      },
    });
    this.#lines = createInterface({ input, output: shown, terminal: true });
    this.#lines.once("close", () => (this.#closed = true));
  }

  /** Prints a line. */
  say(line: string): void {
    this.#output.write(`${onOneLine(line)}\n`);
  }

  /**
   * Asks until there is an answer that can be used.
   *
   * @throws ProviderError `ABORTED` where the input ends
   */
  async ask<T>({ text, otherwise, hidden = false, read }: Question<T>): Promise<T> {
    for (;;) {
      const shown = otherwise === undefined || otherwise === "" ? "" : ` [${otherwise}]`;
      const typed = await this.#line(`${text}${shown}${hidden ? " (not shown)" : ""}: `, hidden);
      try {
        return await read(typed === "" ? (otherwise ?? "") : typed);
      } catch (error) {
        if (!(error instanceof ProviderError)) throw error;
        this.complain(error);
      }
    }
  }

  /** Asks for one of some words, by the word or its number. */
  choose(text: string, options: ReadonlyMap<string, string>): Promise<string> {
    const names = [...options.keys()];
    this.say(`${text}:`);
    for (const [index, name] of names.entries()) this.say(`  ${index + 1}  ${name}: ${options.get(name) ?? ""}`);
    return this.ask({
      text: "Name or number",
      otherwise: names[0],
      read: (answer) => {
        const chosen = names.find((name, index) => answer === name || answer === String(index + 1));
        if (chosen !== undefined) return chosen;
        throw new ProviderError("CONFIG", `There is no ${JSON.stringify(answer)} to choose.`, {
          fix: `Type one of ${names.join(", ")}.`,
        });
      },
    });
  }

  /** Asks a question that is answered with yes or no. */
  confirm(text: string, otherwise: "yes" | "no"): Promise<boolean> {
    return this.ask({
      text: `${text} (yes or no)`,
      otherwise,
      read: (answer) => {
        if (/^y(es)?$/i.test(answer)) return true;
        if (/^no?$/i.test(answer)) return false;
        throw new ProviderError("CONFIG", "The answer is neither yes nor no.", { fix: "Type yes or no." });
      },
    });
  }

  /** Says what is wrong with an answer, and what to do. */
  complain({ lines, fix }: Pick<ProviderError, "lines" | "fix">): void {
    for (const line of lines) this.say(`  ${line}`);
    if (fix !== undefined) this.say(`  Fix: ${fix}`);
  }

  close(): void {
    this.#lines.close();
  }

  #line(text: string, hidden: boolean): Promise<string> {
    return new Promise((resolve, reject) => {
      const ended = () => {
        reject(new ProviderError("ABORTED", "The questions were not answered to the end: nothing was written."));
      };
      if (this.#closed) {
        ended();
        return;
      }
      this.#lines.once("close", ended);
      this.#lines.question(text, (answer) => {
        this.#lines.off("close", ended);
        this.#hidden = false;
        if (hidden) this.#output.write("\n");
        resolve(answer.trim());
      });
      // From here on: the question itself was shown.
      this.#hidden = hidden;
    });
  }
}
