import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * Part of util-linux, which has `--pdeathsig` since version 2.33; BusyBox's has not.
 * https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
 */
const SETPRIV = "setpriv";

/** SIGTERM and not SIGKILL: on it pg_dump and pg_restore end their workers, and have the server cancel what it does for them. */
const OPTIONS = ["--pdeathsig", "TERM"];

/** Milliseconds in which setpriv answers whether it can do that. */
const PATIENCE_MS = 10_000;

/** The program's path; null where there is none that can do this, undefined before the first search. */
let setpriv: string | null | undefined;

/**
 * A command that the kernel ends with SIGTERM as soon as this process ends, even by SIGKILL. It costs two milliseconds.
 *
 * Where that cannot be had (macOS, BusyBox), it is the command itself: then a program that reads or writes a pipe of this process
 * ends when that breaks, and one that works with files ends when its work is done.
 *
 * The kernel sends the signal when the *thread* ends that started the command, so only a process's main thread may do that.
 */
export function endWithRunner(command: string, args: readonly string[]): [command: string, args: readonly string[]] {
  if (setpriv === undefined) setpriv = findSetpriv();
  return setpriv === null ? [command, args] : [setpriv, [...OPTIONS, command, ...args]];
}

/** By its whole path: the programs' own environment may have no PATH, as that of a job under SSH. */
function findSetpriv(): string | null {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/bin", "/bin"];
  const file = folders.map((folder) => join(folder, SETPRIV)).find((path) => path.startsWith("/") && existsSync(path));
  if (file === undefined) return null;
  const { status } = spawnSync(file, [...OPTIONS, "/bin/true"], { stdio: "ignore", timeout: PATIENCE_MS });
  return status === 0 ? file : null;
}
