import { describeState, knownMessage, namesNoValue, WITHHELD } from "./known-messages.ts";

/** What a program wrote to its standard error, without anything that may be a value of a row. */
export interface ProgramReport {
  /** On one line; empty where it wrote nothing. */
  readonly text: string;
  /** SQLSTATE of the server's error, where it is known. */
  readonly state?: string;
}

/** Whose messages they are. */
export interface MessageSource {
  readonly name: "pg_dump" | "pg_dumpall" | "pg_restore" | "psql";
  /** Names of tables that may appear in a message of psql; pg_restore itself says which table it is at. */
  readonly tables?: ReadonlySet<string>;
}

/** An error of the server, in a program's words. */
interface ServerError {
  /** What the program says before it, for instance `pg_restore: error: COPY failed for table "t"`. */
  readonly before: string;
  /** Undefined where the program does not print it. */
  readonly state: string | undefined;
  /** The first line of its message. */
  readonly message: string;
  readonly contexts: string[];
  readonly commands: string[];
  readonly names: Map<string, string>;
}

/** Characters that are kept of a program's own words, counted from their end, and of one line. */
const MOST_CHARACTERS = 3500;
const LONGEST_LINE = 1000;

/** libpq writes it behind each severity and each label, in every language; no program writes it by itself. */
const MARK = ":  ";

/** Labels of what follows an error, as libpq writes them under LC_ALL=C. */
const LABEL = /^(DETAIL|HINT|QUERY|CONTEXT|LOCATION|(?:SCHEMA|TABLE|COLUMN|DATATYPE|CONSTRAINT) NAME):  (.*)$/s;

/** What the statement that pg_restore failed at creates or changes. */
const COMMAND =
  /^Command was: ((?:CREATE|ALTER|COMMENT ON|REFRESH|GRANT|REVOKE)(?: [A-Z]+)+ (?:"[^"\n]+"|[\w$]+)(?:\.(?:"[^"\n]+"|[\w$]+))?)/;

/** Statements that read rows: all that build an index, fill a view or check a constraint. Those that only give an owner do not. */
const READS_ROWS =
  /^Command was: (?:REFRESH|CREATE (?:UNIQUE )?INDEX|ALTER (?:TABLE|FOREIGN TABLE|DOMAIN) (?!(?:ONLY )?(?:"[^"\n]+"|[\w$]+)(?:\.(?:"[^"\n]+"|[\w$]+))? OWNER TO ))/;

/** Where the server's own checks add names to an error. A function may add any text as a name. */
const CHECKS = new Set(
  "execMain execIndexing execPartition execExprInterp nbtinsert nbtsort tuplesort tuplesortvariants ri_triggers domains tablecmds typecmds index partbounds"
    .split(" ")
    .map((file) => `${file}.c`),
);

/** Words of a program's own that follow a server's text. That could imitate them, so nothing after these words is kept. */
const CERTAIN = [
  "aborting because of server version mismatch",
  "a worker process died unexpectedly",
  "server closed the connection unexpectedly",
  "connection to server was lost",
  "No space left on device",
  "out of memory",
  "could not read from input file: end of file",
  "corrupt archive",
  "could not commit database transaction",
];

/** The dynamic linker's words where it cannot start a program. */
const NOT_STARTED = /error while loading shared libraries|symbol lookup error/;

/** Words of a machine that cannot start a program or continue with it. */
const MACHINE = new RegExp(`${NOT_STARTED.source}|^psql: error: |Cannot allocate memory`);

/** What a shell exits with where it cannot execute a program. */
const NOT_EXECUTED: readonly unknown[] = [126, 127];

/** Whether a program could not even start. */
export function couldNotStart(exitCode: unknown, { text }: ProgramReport): boolean {
  return NOT_EXECUTED.includes(exitCode) || NOT_STARTED.test(text);
}

/** Characters that are kept of a line before it is read as a message; the rest is thrown away. */
const MOST_OF_RAW_LINE = 64 * 1024;

/** Joins pieces of text to lines, and hands on each line once it is complete. */
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

  /** Hands on a last line without a line break. */
  finish(): void {
    if (this.#line !== "") this.#take(this.#line);
    this.#line = "";
  }

  #append(text: string): void {
    this.#line += text.slice(0, MOST_OF_RAW_LINE - this.#line.length);
  }
}

/**
 * Reads the standard error of one of PostgreSQL's programs, line by line. Of the server's texts only those on a list pass: they
 * quote rows, and may be in any language. They may also hold line breaks, so that after the first of them no line counts as the
 * program's own.
 */
export class ProgramMessages {
  readonly #source: MessageSource;
  readonly #own: string[] = [];
  readonly #certain = new Set<string>();
  #length = 0;
  #cut = false;
  #serverSpoke = false;
  #withheld = false;
  #error: ServerError | undefined;

  constructor(source: MessageSource) {
    this.#source = source;
  }

  /** Takes the next line. */
  take(line: string): void {
    if (line.trim() === "") return;
    const text = this.#source.name === "psql" ? line.replace(/^psql:<stdin>:\d+: /, "") : line;
    const label = this.#serverSpoke ? LABEL.exec(text) : null;
    if (label !== null) this.#takeLabel(label[1] ?? "", label[2] ?? "");
    else if (this.#serverSpoke && text.startsWith("Command was: ")) this.#error?.commands.push(text);
    else if (text.includes(MARK)) this.#takeServers(text);
    else if (this.#serverSpoke || this.#source.name === "psql") this.#takeCertain(text);
    else this.#takeOwn(text);
  }

  /** All that was read, as one report. */
  get report(): ProgramReport {
    const error = this.#error && this.#describe(this.#error);
    const own = `${this.#cut ? "… " : ""}${this.#own.join("; ")}`;
    const certain = [...this.#certain].filter((text) => !own.includes(text) && error?.text.includes(text) !== true);
    const nothing = error === undefined && own === "" && certain.length === 0;
    const parts = [own, error?.text ?? "", ...certain, nothing && this.#withheld ? WITHHELD : ""];
    const text = parts.filter((part) => part !== "").join("; ");
    return error?.state === undefined ? { text } : { text, state: error.state };
  }

  #takeOwn(line: string): void {
    const text = line.trim().slice(0, LONGEST_LINE);
    // The second line of a hint of libpq's, say.
    const before = line.startsWith("\t") ? this.#own.pop() : undefined;
    this.#own.push(before === undefined ? text : `${before} ${text}`);
    this.#length += text.length + 2;
    while (this.#length > MOST_CHARACTERS && this.#own.length > 1) {
      this.#length -= (this.#own.shift() ?? "").length + 2;
      this.#cut = true;
    }
  }

  #takeCertain(line: string): void {
    if (!this.#serverSpoke && MACHINE.test(line)) {
      this.#takeOwn(line);
      return;
    }
    const found = CERTAIN.find((text) => line.includes(text));
    if (found !== undefined) this.#certain.add(found);
    else if (this.#serverSpoke || line.startsWith("error: ")) this.#withheld = true;
  }

  #takeServers(line: string): void {
    const at = line.indexOf(MARK);
    const beforeSeverity = line.slice(0, at).lastIndexOf(": ");
    const before = beforeSeverity === -1 ? "" : line.slice(0, beforeSeverity);
    const spokeBefore = this.#serverSpoke;
    this.#serverSpoke = true;
    this.#withheld = true;
    const rest = line.slice(at + MARK.length);
    const [, state, text] = /^([0-9A-Z]{5}): (.*)$/s.exec(rest) ?? [];
    // Notices and warnings: psql says their class, the others name nothing before them.
    if (state === undefined ? before === this.#source.name : /^0[0-2]/.test(state)) return;
    if (this.#error !== undefined) return;
    // What another text may imitate is not repeated.
    if (spokeBefore && before !== "" && !/^pg_\w+: (?:error|detail|warning): /.test(before)) return;
    const words = spokeBefore ? (/^(pg_\w+: error)/.exec(before)?.[1] ?? "") : before;
    this.#error = { before: words, state, message: text ?? rest, contexts: [], commands: [], names: new Map() };
  }

  #takeLabel(label: string, text: string): void {
    this.#withheld = true;
    if (label === "CONTEXT") this.#error?.contexts.push(text);
    else if (label.endsWith(" NAME") || label === "LOCATION") this.#error?.names.set(label, text);
  }

  #describe(error: ServerError): ProgramReport {
    const copied = this.#copied(error);
    // A function may put a value into any message, but then it is named in the context.
    const plain = error.contexts.length === 0 || copied !== undefined;
    // Of two, one is in a row.
    const [command, second] = error.commands;
    const ofRows = copied !== undefined || second !== undefined || READS_ROWS.test(command ?? "");
    const known = plain ? knownMessage(error.message, ofRows) : undefined;
    const state = error.state ?? known?.state;
    const stateText = state === undefined ? "" : ` (${describeState(state)})`;
    const listed = known?.state === state ? known?.text : undefined;
    const shown = listed ?? this.#harmless(error) ?? WITHHELD;
    const changing = second === undefined ? COMMAND.exec(command ?? "")?.[1] : undefined;
    const [, file] = /, (\w+\.c):\d+$/.exec(error.names.get("LOCATION") ?? "") ?? [];
    const names = plain && file !== undefined && CHECKS.has(file) ? [...error.names] : [];
    const where = [
      ...(changing === undefined ? [] : [`in ${changing}`]),
      ...names.flatMap(([label, text]) =>
        label === "LOCATION" ? [] : [`${label.replace(" NAME", "").toLowerCase()} ${text}`],
      ),
      ...(copied === undefined ? [] : [`line ${copied.line} of the rows of ${copied.table}`]),
    ];
    const text = `${error.before === "" ? "" : `${error.before}: `}${shown}${stateText}${where.length === 0 ? "" : `; ${where.join(", ")}`}`;
    return state === undefined ? { text } : { text, state };
  }

  /** A message that cannot have a value: before anything was asked, or because of what it says. */
  #harmless({ before, state, message, contexts }: ServerError): string | undefined {
    const connecting = /^\w+: error: connection to server [^\n]* failed$/.test(before);
    const harmless = contexts.length === 0 && (connecting || (state !== undefined && namesNoValue(state)));
    return harmless ? message.slice(0, LONGEST_LINE) : undefined;
  }

  /** The table whose rows were being read, and the line among them, where the context says only that. */
  #copied({ before, contexts }: ServerError): { readonly table: string; readonly line: string } | undefined {
    const [context, second] = contexts;
    if (context === undefined || second !== undefined) return undefined;
    const [, said] = /COPY failed for table "(.*)"$/.exec(before) ?? [];
    const [, first = "", line] = /^COPY ([^\n]+?), [^\s\d:]+ (\d+)(?=[,:]|$)/.exec(context) ?? [];
    const table = said ?? (this.#source.tables?.has(first) ? first : undefined);
    if (table === undefined || line === undefined) return undefined;
    return context.startsWith(`COPY ${table}, `) ? { table, line } : undefined;
  }
}
