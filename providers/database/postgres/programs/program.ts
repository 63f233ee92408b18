import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { abortedError, type ErrorCode, ProviderError } from "../../../errors.ts";
import type { ProgramDirectory } from "./clients.ts";
import { endWithRunner, withRawArguments } from "./command.ts";
import { couldNotStart, MessageLines, ProgramMessages, type ProgramReport } from "../messages/program-messages.ts";
import { programError, redact } from "../messages/server-errors.ts";

/** What a program's environment is made of. */
interface Preparable {
  /** The whole environment, but for what is fresh. */
  readonly env: Readonly<Record<string, string>>;
  /** More of the environment, made right before each start: a password that lives for minutes. Left out: there is no more. */
  readonly fresh?: (() => Promise<Readonly<Record<string, string>>>) | undefined;
  /** What must not appear in an error. */
  readonly secrets: readonly string[];
}

/** The program with its whole environment. */
async function prepared<Program extends Preparable>(program: Program): Promise<Program> {
  const more = (await program.fresh?.()) ?? {};
  const secrets = more.PGPASSWORD === undefined ? program.secrets : [...program.secrets, more.PGPASSWORD];
  return { ...program, fresh: undefined, env: { ...program.env, ...more }, secrets };
}

/** As {@link prepared}; a source that fails before there is somebody to read it does so when it is read. */
async function preparedFor<Program extends Preparable>(source: Readable, program: Program): Promise<Program> {
  source.on("error", () => undefined);
  try {
    return await prepared(program);
  } catch (error) {
    source.destroy();
    throw error;
  }
}

/** How to run one of PostgreSQL's programs. */
export interface Program extends Preparable {
  readonly clients: ProgramDirectory;
  readonly name: "pg_dump" | "pg_dumpall" | "pg_restore" | "psql";
  /** Never a secret: everybody on the machine can read them. */
  readonly args: readonly string[];
  /** The code of a failure whose message is not known. */
  readonly otherwise: ErrorCode;
  /** Says more of a failure, where it can. */
  readonly explain?: (problem: ProviderError) => ProviderError | Promise<ProviderError>;
  /** Names of tables that may appear in an error of psql. */
  readonly tables?: ReadonlySet<string>;
  /** Takes each line of the program's standard error, without secrets, but with all that a server says of rows. */
  readonly onMessage?: (line: string) => void;
}

/** Part of GNU coreutils, where Debian, Fedora and their kin have it: what their `stdbuf` program preloads. */
const BUFFER_LIBRARY = "/usr/libexec/coreutils/libstdbuf.so";

const BUFFER_BYTES = 256 * 1024;

/**
 * Environment that gives a program large buffers for those of its standard streams that are pipes, as `stdbuf` does; empty where the
 * machine has no such library. The C library's own are 4 KiB, so that pg_dump makes a system call, and wakes its reader, for each of
 * them: with a larger one it takes 40 % less system time, and a dump's wall time drops by a tenth; pg_restore, which reads an archive,
 * takes a quarter less. The environment and not `stdbuf` itself, so that a program which cannot be started still says so as any
 * other.
 */
function largeBuffers([input, output]: readonly unknown[]): Record<string, string> {
  if ((input !== "pipe" && output !== "pipe") || !existsSync(BUFFER_LIBRARY)) return {};
  return {
    LD_PRELOAD: BUFFER_LIBRARY,
    ...(input === "pipe" && { _STDBUF_I: String(BUFFER_BYTES) }),
    ...(output === "pipe" && { _STDBUF_O: String(BUFFER_BYTES) }),
  };
}

/** Milliseconds that a program may take to end after SIGTERM before it is killed. */
const KILL_AFTER_MS = 3000;

/** A program that reads an archive and connects to no server. */
export interface ArchiveReader extends Program {
  readonly fresh?: never;
}

/** pg_restore as an {@link ArchiveReader}. */
export function archiveReader(clients: ProgramDirectory, args: readonly string[]): ArchiveReader {
  const env = { PATH: process.env.PATH ?? "", LC_ALL: "C" };
  return { clients, name: "pg_restore", args, env, secrets: [], otherwise: "INTEGRITY" };
}

/**
 * Runs a program and gives its standard output, which ends only after the program has exited with 0 and otherwise fails
 * with what it wrote to its standard error. Destroying the stream, or the signal, ends the program. It gets an open file as its
 * descriptor 3 where one is given.
 */
export function readFrom(program: Program, signal: AbortSignal, descriptor?: number): Readable {
  if (program.fresh !== undefined) return readLater(program, signal, descriptor);
  const running = start(program, ["ignore", "pipe", "pipe"], signal, descriptor);
  return outputOf(running, running.exited);
}

/** As {@link readFrom}, once the program's environment is ready. */
function readLater(program: Program, signal: AbortSignal, descriptor?: number): Readable {
  const output = new PassThrough();
  const givenUp = new AbortController();
  output.once("close", () => {
    givenUp.abort();
  });
  const chunks = async function* () {
    const either = AbortSignal.any([signal, givenUp.signal]);
    yield* readFrom(await prepared(program), either, descriptor) as AsyncIterable<Buffer>;
  };
  // What fails in here becomes the stream's own error.
  pipeline(chunks, output).catch(() => undefined);
  return output;
}

/**
 * Runs a program with the source as its standard input and gives its standard output. That ends only after the program has
 * exited with 0 and the source has come to its end, which says that all of it is right; otherwise it fails. A program that
 * reads no more does not keep the source from being read.
 */
export function readThrough(program: ArchiveReader, source: Readable, signal: AbortSignal): Readable {
  const running = start(program, ["pipe", "pipe", "pipe"], signal);
  const stdin = existing(running.child.stdin);
  stdin.on("error", () => undefined);
  const copied = copy(source, stdin).then(() => {
    stdin.end();
  });
  // Of two failures the source's counts: the program's is likely to follow from it.
  const finished = Promise.race([copied, running.exited.then(() => copied)]).then(() => running.exited);
  finished
    .finally(() => {
      source.destroy();
    })
    .catch(() => undefined);
  return outputOf(running, finished);
}

/**
 * Runs a program that needs only the beginning of the source, and gives what it wrote to its standard output together with
 * that beginning. What follows in the source is not read, so nothing says that any of it is right.
 */
export async function readHead(
  program: ArchiveReader,
  source: Readable,
  signal: AbortSignal,
): Promise<{ output: string; head: Buffer }> {
  const running = start(program, ["pipe", "pipe", "pipe"], signal);
  const stdin = existing(running.child.stdin);
  stdin.on("error", () => undefined);
  const head: Buffer[] = [];
  let output = "";
  existing(running.child.stdout)
    .setEncoding("utf8")
    .on("data", (text: string) => (output += text));
  const copied = (async () => {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      if (!stdin.writable) return;
      head.push(chunk);
      if (!stdin.write(chunk)) await drained(stdin, source);
    }
    stdin.end();
  })();
  try {
    await Promise.race([copied.then(() => running.exited), running.exited]);
    return { output, head: Buffer.concat(head) };
  } catch (error) {
    running.end();
    await running.exited.catch(() => undefined);
    throw signal.aborted ? abortedError(signal) : error;
  } finally {
    source.destroy();
    copied.catch(() => undefined);
  }
}

function outputOf(running: Running, finished: Promise<void>): Readable {
  const stdout = existing(running.child.stdout);
  const output = new Readable({
    read() {
      stdout.resume();
    },
    destroy(error, callback) {
      running.end();
      stdout.destroy();
      running.exited
        .finally(() => {
          callback(error);
        })
        .catch(() => undefined);
    },
  });
  // Chunks go through as they are: a transform stream here would cost a tenth of the throughput.
  stdout.on("data", (chunk) => {
    if (!output.push(chunk)) stdout.pause();
  });
  finished.then(
    () => output.push(null),
    (error: unknown) => output.destroy(error as Error),
  );
  return output;
}

/**
 * Runs a program with the source as its standard input, to the end of both. A source that fails kills the program before it
 * can take the end of its input for the end of the data. Whatever happens, the source is consumed or destroyed.
 *
 * @param output takes what the program writes to its standard output, piece by piece; without it that is thrown away
 * @param copies get the same bytes as the program, and are destroyed where the source or the program fails
 */
export async function feed(
  program: Program,
  source: Readable,
  signal: AbortSignal,
  output?: (piece: Buffer) => void,
  ...copies: Writable[]
): Promise<void> {
  const ready = program.fresh === undefined ? program : await preparedFor(source, program);
  const running = start(ready, ["pipe", output === undefined ? "ignore" : "pipe", "pipe"], signal);
  if (output !== undefined) existing(running.child.stdout).on("data", output);
  const stdin = existing(running.child.stdin);
  // Writing fails once the program has ended; its exit says why.
  stdin.on("error", () => undefined);
  const copied = copy(source, stdin, ...copies).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  try {
    // A program that fails ends the wait, also for a source that is silent. One that has read all that it needs does not: the
    // source is read to its end all the same, to hear that it is whole.
    const failure = await Promise.race([copied, running.exited.then(() => copied)]);
    if (failure !== undefined) {
      running.kill();
      await running.exited.catch(() => undefined);
      throw signal.aborted ? abortedError(signal) : failure.error;
    }
    stdin.end();
    await running.exited;
    for (const each of copies) each.end();
  } finally {
    source.destroy();
    for (const each of copies) if (!each.writableEnded) each.destroy();
  }
}

async function copy(source: Readable, ...pipes: Writable[]): Promise<void> {
  for await (const chunk of source) {
    for (const pipe of pipes) if (pipe.writable && !pipe.write(chunk)) await drained(pipe, source);
  }
}

/** Waits until a pipe takes more, or one of the two is closed for good: a stopped program takes nothing, ever. */
function drained(pipe: Writable, source: Readable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      pipe.off("drain", done);
      pipe.off("close", done);
      source.off("close", done);
      resolve();
    };
    pipe.on("drain", done);
    pipe.on("close", done);
    source.on("close", done);
    if (pipe.closed || source.closed) done();
  });
}

/** Runs a program to its end, with an open file as its descriptor 3 where one is given. */
export async function runProgram(program: Program, signal: AbortSignal, descriptor?: number): Promise<void> {
  const ready = program.fresh === undefined ? program : await prepared(program);
  await start(ready, ["ignore", "ignore", "pipe"], signal, descriptor).exited;
}

interface Running {
  readonly child: ChildProcess;
  /** Resolves when the program has exited with 0 and its pipes are closed; else rejects with a `ProviderError`. */
  readonly exited: Promise<void>;
  /** Ends the program, if need be by force. */
  readonly end: () => void;
  /** Ends it at once, with all that it has started. */
  readonly kill: () => void;
}

function start(program: Program, streams: ("pipe" | "ignore")[], signal: AbortSignal, descriptor?: number): Running {
  const stdio = descriptor === undefined ? streams : [...streams, descriptor];
  // A group of its own, to be ended with all that the program has started.
  const how = { env: { ...program.env, ...largeBuffers(stdio) }, stdio, detached: true };
  const file = join(program.clients.directory, program.name);
  const [command, args] = withRawArguments(...endWithRunner(file, program.args));
  const child = spawn(command, args, how);
  const messages = new ProgramMessages(program);
  const lines = new MessageLines((line) => {
    const clean = redact(line, program.secrets);
    messages.take(clean);
    program.onMessage?.(clean);
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    lines.write(text);
  });
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    if (timer !== undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    timer = setTimeout(kill, KILL_AFTER_MS);
  };
  const kill = (): void => {
    killGroup(child);
    // Other processes may hold the other ends of its pipes: they are not waited for.
    for (const pipe of child.stdio) pipe?.destroy();
  };
  // This process's own end must not leave the program behind.
  process.once("exit", kill);
  // Nor may the program's end leave its workers behind, which would hold its pipes.
  child.once("exit", () => {
    killGroup(child);
  });
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  const exited = new Promise<void>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        new ProviderError(
          "CONFIG",
          `${program.name} could not be started from ${program.clients.directory}: ${error.code ?? error.message}.`,
        ),
      );
    });
    child.once("close", (code, killer) => {
      lines.finish();
      if (code === 0) {
        resolve();
        return;
      }
      if (signal.aborted) reject(abortedError(signal));
      else {
        const problem = failure(program, code ?? killer, messages.report);
        Promise.resolve(program.explain?.(problem) ?? problem).then(reject, reject);
      }
    });
  });
  const cleanUp = (): void => {
    clearTimeout(timer);
    process.off("exit", kill);
    signal.removeEventListener("abort", end);
  };
  exited.then(cleanUp, cleanUp);
  return { child, exited, end, kill };
}

/** Ends a program and what it has started; may be called when it has ended. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing of it is left.
  }
}

/** Why a program failed. That it was killed, or could not start, says nothing about what it was to read. */
function failure(program: Program, how: number | NodeJS.Signals | null, report: ProgramReport): ProviderError {
  const { name, clients, otherwise } = program;
  const said = report.text === "" ? "." : `: ${report.text}`;
  if (typeof how === "string") {
    return new ProviderError("TRANSIENT", `${name} ${clients.version} was ended by ${how}${said}`, {
      fix: "Run it again. After SIGKILL, check whether the machine ran out of memory, and give it or the task more.",
    });
  }
  if (couldNotStart(how, report)) {
    return new ProviderError("CONFIG", `${name} ${clients.version} in ${clients.directory} cannot be started${said}`, {
      fix: `Install it again with the libraries that it needs (ldd ${join(clients.directory, name)} lists them).`,
    });
  }
  return programError(`${name} ${clients.version} exited with ${how ?? "no code"}`, report, otherwise);
}

function existing<Pipe>(pipe: Pipe | null): Pipe {
  if (pipe === null) throw new ProviderError("INTERNAL", "The program was started without the pipe.");
  return pipe;
}
