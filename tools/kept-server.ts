import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";

/** Options of {@link keepServer}. */
interface KeptServerOptions {
  /** The server's folder: its working folder, which holds its log in `log` and is removed after it. */
  readonly directory: string;
  /** What ends the server. */
  readonly signal: "TERM" | "QUIT";
  /** Default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** The user and group that the server runs as. Default: this process's. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

/**
 * A shell that reads from a pipe which only this process holds: when the pipe closes, even by a kill -9 of this process, the
 * shell ends the server and removes the folder.
 */
const keeper = `
dir=$1; signal=$2; shift 2
"$@" </dev/null >"$dir/log" 2>&1 &
server=$!
read line
kill -$signal $server 2>/dev/null
wait $server
rm -rf "$dir"
`;

/**
 * Starts a throwaway server that ends with this process however that ends, and its folder with it.
 *
 * @returns what ends both at once; it may be called more than once
 */
export function keepServer(command: readonly string[], options: KeptServerOptions): () => Promise<void> {
  const { directory, signal, env = process.env, owner } = options;
  const shell = spawn("/bin/sh", ["-c", keeper, "sh", directory, signal, ...command], {
    ...owner,
    // Of its own session: Ctrl-C on a terminal reaches this process alone, which then closes the pipe.
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    env,
    cwd: directory,
  });
  const exited = new Promise<void>((resolve) => {
    for (const event of ["exit", "error"]) {
      shell.once(event, () => {
        resolve();
      });
    }
  });
  shell.stdin.on("error", () => undefined);
  // A server that somebody forgot must not keep this process alive.
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  return async () => {
    shell.stdin.end();
    shell.ref();
    await exited;
    await rm(directory, { recursive: true, force: true });
  };
}
