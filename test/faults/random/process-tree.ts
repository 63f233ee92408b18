import { readdirSync, readFileSync } from "node:fs";

/** A process that was seen, told from a later one of its number by when it began. */
export interface SeenProcess {
  readonly pid: number;
  readonly began: string;
  readonly command: string;
}

/** The environment variable by which a process is known that was started between two looks. */
export const MARK = "FAULTS_COMMAND";

/** Watches a process and all that it has started. */
export class ProcessTree {
  /** Every command line that was seen, arguments parted by blanks. */
  readonly commands = new Set<string>();
  /** Most memory that the process itself has held, in KiB. */
  peakKb = 0;
  readonly #root: number;
  readonly #mark: string;
  readonly #seen = new Map<string, SeenProcess>();
  readonly #timer: NodeJS.Timeout;

  /** @param mark the value of {@link MARK} in its environment, which what it starts inherits */
  constructor(root: number, mark: string, everyMs = 30) {
    this.#root = root;
    this.#mark = mark;
    this.#timer = setInterval(() => {
      this.look();
    }, everyMs);
  }

  /** Takes down what it has started in the moment before its end, and was never seen as its child. */
  lookEverywhere(): void {
    for (const pid of readdirSync("/proc").map(Number)) {
      if (!read(`/proc/${pid}/environ`).split("\0").includes(`${MARK}=${this.#mark}`)) continue;
      const found = see(pid);
      if (found !== undefined) this.#take(found);
    }
  }

  /** Takes down what is there now. */
  look(): void {
    const peak = /VmHWM:\s+(\d+)/.exec(read(`/proc/${this.#root}/status`))?.[1];
    this.peakKb = Math.max(this.peakKb, Number(peak ?? 0));
    const look = (pid: number): void => {
      const found = see(pid);
      if (found === undefined) return;
      this.#take(found);
      for (const child of childrenOf(pid)) look(child);
    };
    look(this.#root);
    // What a dead parent left has another parent now, but children of its own all the same.
    for (const { pid, began } of this.#seen.values()) if (see(pid)?.began === began) childrenOf(pid).forEach(look);
  }

  #take(found: SeenProcess): void {
    // Between fork and exec a child still has its parent's arguments.
    this.commands.add(found.command);
    this.#seen.set(`${found.pid} ${found.began}`, found);
  }

  /** Those of a name that live, such as `pg_dump`. */
  living(program?: string): SeenProcess[] {
    this.look();
    return [...this.#seen.values()].filter(({ pid, began }) => {
      const now = see(pid);
      if (now?.began !== began) return false;
      return program === undefined ? pid !== this.#root : new RegExp(`(^|/)${program}( |$)`).test(now.command);
    });
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function see(pid: number): SeenProcess | undefined {
  const stat = read(`/proc/${pid}/stat`).replace(/^.*\)/s, "").split(" ");
  const state = stat[1];
  // A process that has ended and waits for its parent to ask.
  if (state === undefined || state === "Z" || state === "X") return undefined;
  const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  return { pid, began: stat[20] ?? "", command };
}

/** Those that its first thread has started: it is that one which does so, in Node.js too. */
function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
