import { execFile } from "node:child_process";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { isExecutable } from "./executables.ts";
import { ensureGo } from "./go.ts";
import { withProgress } from "../progress.ts";

const run = promisify(execFile);

/** What a program in the cache is found by. */
export interface ProgramVersion {
  /** The executable's name, for instance `pulumi`. */
  readonly name: string;
  readonly version: string;
}

/** A program that is brought once and kept in the cache. */
interface KeptProgram<Origin extends string> extends ProgramVersion {
  /** What people call it. */
  readonly title: string;
  /** Puts the program into the folder as `bin/<name>`, and says how it was had. */
  readonly bring: (root: string) => Promise<Origin>;
  /** Where lines for the user go. */
  readonly say: (line: string) => void;
}

/** Where a kept program is. */
interface FoundProgram<Origin extends string> {
  /** The folder that holds the executable. */
  readonly directory: string;
  readonly origin: Origin | "cache";
}

/**
 * The program from the cache, `$XDG_CACHE_HOME/provision` or `~/.cache/provision`, into which it is brought if it is not
 * there. Several processes may call this at the same time: one brings the program and the others wait for it.
 */
export async function keepProgram<Origin extends string>(program: KeptProgram<Origin>): Promise<FoundProgram<Origin>> {
  const { title, bring, say } = program;
  const root = placeOf(program);
  const directory = join(root, "bin");
  const isCached = (): Promise<boolean> => isKept(program);
  if (await isCached()) return { directory, origin: "cache" };

  await mkdir(root, { recursive: true });
  const unlock = await lock(join(root, "install.lock"), () => {
    say(`Another process is bringing ${title}; waiting for it …`);
  });
  const fresh = join(root, `new-${process.pid}`);
  try {
    if (await isCached()) return { directory, origin: "cache" };
    const origin = await withProgress(`bringing ${title}`, say, () => bring(fresh));
    await rename(join(fresh, "bin"), directory).catch(async (error: unknown) => {
      if (!(await isCached())) throw error;
    });
    return { directory, origin };
  } finally {
    await rm(fresh, { recursive: true, force: true });
    await unlock();
  }
}

/** Whether the cache has a program already. */
export function isKept(program: ProgramVersion): Promise<boolean> {
  return isExecutable(join(placeOf(program), "bin", program.name));
}

/** The folder of all kept programs, each in one of its own: `pulumi-v3.259.0`. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "provision");
}

function placeOf({ name, version }: ProgramVersion): string {
  return join(cacheFolder(), `${name}-v${version}`);
}

/** A program that only tests use, built from a Go module of this project in `tools/<name>`. */
export interface TestProgram extends ProgramVersion {
  /** What it is for, to be read after its name: `the S3 server of the tests`. */
  readonly purpose: string;
  /** The import path of the command. */
  readonly command: string;
  /** How long the build takes, in words. */
  readonly takes: string;
}

/**
 * The path of a test program's executable: from the cache, or by a build with Go, which says how long it takes.
 *
 * @param say where lines for the user go
 * @throws {Error} where there is no Go to build with; it says what to install
 */
export async function keepTestProgram(program: TestProgram, say: (line: string) => void): Promise<string> {
  const { name, purpose, version, command, takes } = program;
  const { directory } = await keepProgram({
    name,
    title: name,
    version,
    say,
    bring: async (root) => {
      say(`Building ${name} ${version}, ${purpose}, once; this takes about ${takes} …`);
      await goBuild({
        module: fileURLToPath(new URL(`${name}/`, import.meta.url)),
        command,
        executable: join(root, "bin", name),
        what: `${name}, ${purpose}`,
        say,
      });
      return "build" as const;
    },
  });
  return join(directory, name);
}

/** What {@link goBuild} builds. */
interface GoBuild {
  /** The folder of a Go module of this project that names the program's own module. */
  readonly module: string;
  /** The import path of the command. */
  readonly command: string;
  /** Flags for the linker. Default: no symbols, which halves the file. */
  readonly linkerFlags?: string;
  /** The file to write. */
  readonly executable: string;
  /** What is built, for the message where there is no Go. */
  readonly what: string;
  /** Where lines for the user go. */
  readonly say: (line: string) => void;
}

/** Builds a Go program, with a Go that is brought where that is possible. */
export async function goBuild(build: GoBuild): Promise<void> {
  const { module, command, linkerFlags = "-s -w", executable, what, say } = build;
  const go = await ensureGo(what, say);
  await mkdir(dirname(executable), { recursive: true });
  await run(go, ["build", "-trimpath", "-ldflags", linkerFlags, "-o", executable, command], {
    cwd: module,
    maxBuffer: 64 * 1024 * 1024,
  });
}

/**
 * Waits until no other living process holds the lock file, then holds it.
 *
 * A lock whose process has died is taken over. Two processes that take over at the same moment both go on: that costs
 * a second build, but does no harm, since what they build is put in place by one rename.
 */
async function lock(file: string, onWait: () => void): Promise<() => Promise<void>> {
  for (let waited = false; ; waited = true) {
    try {
      const handle = await open(file, "wx");
      await handle.writeFile(String(process.pid));
      await handle.close();
      return () => rm(file, { force: true });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    if (await isAbandoned(file)) {
      await rm(file, { force: true });
      continue;
    }
    if (!waited) onWait();
    await sleep(500);
  }
}

async function isAbandoned(file: string): Promise<boolean> {
  const owner = Number(await readFile(file, "utf8").catch(() => ""));
  // An empty file is one whose owner is about to write its number into it.
  if (owner === 0) return false;
  try {
    process.kill(owner, 0);
    return false;
  } catch {
    return true;
  }
}
