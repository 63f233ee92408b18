import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The user that stands for everybody who is not root: `nobody` where the tests run as root, else who runs them. */
const otherUser =
  process.getuid?.() === 0
    ? { uid: 65_534, gid: 65_534 }
    : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

/** How a script runs. */
export interface ScriptOptions {
  /** Runs it as `nobody` where the tests run as root. */
  readonly asOther?: boolean;
  readonly stdin?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** What a script did. */
export interface ScriptResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script as the command resources do. */
export function runScript(script: string, options: ScriptOptions = {}): ScriptResult {
  const result = spawnSync("/bin/sh", ["-c", script], {
    input: options.stdin ?? "",
    encoding: "utf8",
    cwd: "/",
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...options.environment },
    ...(options.asOther === true && otherUser),
  });
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}

/** A folder for one test, owned by `nobody` if so wished where the tests run as root; {@link TemporaryFolder.remove} removes it. */
export class TemporaryFolder {
  readonly path: string;

  constructor(forOther = false) {
    this.path = mkdtempSync(join(tmpdir(), "provision-test-"));
    if (forOther) chownSync(this.path, otherUser.uid, otherUser.gid);
  }

  /** Puts a program there, for a PATH that begins with this folder. */
  program(name: string, text: string): void {
    const path = join(this.path, name);
    writeFileSync(path, text);
    chmodSync(path, 0o755);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
