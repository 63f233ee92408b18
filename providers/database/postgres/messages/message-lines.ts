/** More characters than a message has that somebody will read; what a line has beyond them is thrown away. */
const longest = 64 * 1024;

/** Puts what comes in pieces together into lines, and hands on each as soon as it has come to its end. */
export class MessageLines {
  readonly #take: (line: string) => void;
  #line = "";

  constructor(take: (line: string) => void) {
    this.#take = take;
  }

  write(text: string): void {
    const [first = "", ...others] = text.split("\n");
    this.#append(first);
    for (const each of others) {
      this.#take(this.#line);
      this.#line = "";
      this.#append(each);
    }
  }

  /** Hands on a last line that does not end as one. */
  finish(): void {
    if (this.#line !== "") this.#take(this.#line);
    this.#line = "";
  }

  #append(text: string): void {
    this.#line += text.slice(0, longest - this.#line.length);
  }
}
