import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { bytesOf, hasRawBytes } from "../connect/raw-text.ts";

/**
 * Part of util-linux, which has `--pdeathsig` since version 2.33; BusyBox's has not.
 * https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
 */
const SETPRIV = "setpriv";

/** Milliseconds in which setpriv answers whether it can do that. */
const PATIENCE_MS = 10_000;

/** The program's path; null where there is none that can do this, undefined before the first search. */
let setpriv: string | null | undefined;

/** The option for a signal. */
const atDeath = (signal: string) => ["--pdeathsig", signal];

/**
 * A command that the kernel ends with a signal as soon as this process ends, even by SIGKILL. It costs two milliseconds.
 *
 * Where that cannot be had (macOS, BusyBox), it is the command itself: then a program that reads or writes a pipe of this process
 * ends when that breaks, and one that works with files ends when its work is done.
 *
 * The kernel sends the signal when the *thread* ends that started the command, so only a process's main thread may do that.
 *
 * @param signal its name without SIG. On TERM, the default, pg_dump and pg_restore end their workers, and have the server cancel what it
 * does for them. A server waits for its sessions then; on QUIT it does not.
 */
export function endWithRunner(
  command: string,
  args: readonly string[],
  signal: "TERM" | "QUIT" = "TERM",
): [command: string, args: readonly string[]] {
  if (setpriv === undefined) setpriv = findSetpriv();
  return setpriv === null ? [command, args] : [setpriv, [...atDeath(signal), command, ...args]];
}

/** By its whole path: the programs' own environment may have no PATH, as that of a job under SSH. */
function findSetpriv(): string | null {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/bin", "/bin"];
  const file = folders.map((folder) => join(folder, SETPRIV)).find((path) => path.startsWith("/") && existsSync(path));
  if (file === undefined) return null;
  const { status } = spawnSync(file, [...atDeath("TERM"), "/bin/true"], {
    stdio: "ignore",
    timeout: PATIENCE_MS,
    // One that is stopped takes no other signal.
    killSignal: "SIGKILL",
  });
  return status === 0 ? file : null;
}

/** Turns each argument from the notation of printf's %b into its bytes, and becomes the command that they are. */
const SCRIPT = 'for a do shift; b=$(printf "%b." "$a"); set -- "$@" "${b%.}"; done; exec "$@"';

/** A command whose arguments may have raw bytes in them; see raw-text.ts. Node.js itself passes on UTF-8 alone. */
export function withRawArguments(command: string, args: readonly string[]): [command: string, args: readonly string[]] {
  const all = [command, ...args];
  if (!all.some(hasRawBytes)) return [command, args];
  return ["/bin/sh", ["-c", SCRIPT, "sh", ...all.map(notation)]];
}

function notation(argument: string): string {
  return Array.from(bytesOf(argument), (byte) =>
    byte === 0x5c ? String.raw`\\` : byte < 0x80 ? String.fromCharCode(byte) : `\\0${byte.toString(8)}`,
  ).join("");
}
