import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { recorded } from "../recording/record.ts";
import { registerSecret } from "../../tools/services/known-secrets.ts";
import { TemporaryFolder } from "./script.ts";

/** The runner's command-line program. */
export const CLI = fileURLToPath(new URL("../../runner/cli.js", import.meta.url));

/** How a process ended, and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process of `provision`. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/**
 * A machine's part of a job: a home, a folder for temporary files, a store, and an environment that holds the secrets and
 * nothing of this process's own but PATH.
 */
export class Sandbox {
  readonly path: string;
  readonly store: string;
  /** The job's configuration; a process gets it as it is when it starts. */
  job: Record<string, unknown>;
  readonly environment: Record<string, string>;
  readonly #folder = new TemporaryFolder();
  readonly #running = new Set<ChildProcess>();

  /** @param url of the job's database. */
  constructor(url: string, changes: Readonly<Record<string, unknown>> = {}) {
    const password = decodeURIComponent(new URL(url).password);
    if (password !== "") registerSecret("the database's password", password);
    this.path = this.#folder.path;
    this.store = join(this.path, "store");
    for (const name of ["home", "tmp"]) mkdirSync(join(this.path, name), { mode: 0o700 });
    this.environment = {
      PATH: process.env.PATH ?? "",
      HOME: join(this.path, "home"),
      TMPDIR: join(this.path, "tmp"),
      APP_URL: url,
    };
    this.job = {
      stack: "test",
      name: "app",
      database: { kind: "postgres", url: { env: "APP_URL" } },
      destinations: [{ kind: "filesystem", path: this.store }],
      ...changes,
    };
  }

  /** Starts `provision` on the job. */
  start(...args: string[]): Running {
    const file = join(this.path, "job.json");
    writeFileSync(file, JSON.stringify(this.job));
    const running = startProvision([...args, "--job", file], this.environment);
    this.#running.add(running.child);
    return running;
  }

  /** Runs `provision` on the job to its end. */
  run(...args: string[]): Promise<Ended> {
    return this.start(...args).ended;
  }

  /**
   * Puts a program in the place of one of PostgreSQL's own, for this job's runs: a shell script, in which `$real` is the
   * program itself. It is not asked for its version.
   */
  replaceClient(name: "pg_dump" | "pg_dumpall" | "pg_restore", realFolder: string, script: string): void {
    const folder = join(this.path, "clients");
    mkdirSync(folder);
    for (const each of ["pg_dump", "pg_dumpall", "pg_restore"]) {
      if (each !== name) symlinkSync(join(realFolder, each), join(folder, each));
    }
    const real = join(realFolder, name);
    const text = `#!/bin/sh\nreal=${real}\n[ "$1" = --version ] && exec "$real" --version\n${script}\n`;
    writeFileSync(join(folder, name), text, { mode: 0o755 });
    this.job = { ...this.job, database: { ...(this.job.database as object), clients: folder } };
  }

  /** Ends what is still running, and removes everything. */
  remove(): void {
    for (const child of this.#running) child.kill("SIGTERM");
    this.#folder.remove();
  }
}

/** Starts `provision` with an environment of its own. */
export function startProvision(args: readonly string[], environment: Readonly<Record<string, string>>): Running {
  const env = recorded(environment);
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject).once("close", (code, signal) => {
      resolve({ code, signal, stdout, stderr });
    });
  });
  return { child, ended };
}
