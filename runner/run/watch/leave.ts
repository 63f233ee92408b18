/**
 * Ends the process, whatever of it hangs.
 *
 * `process.exit` joins the threads of Node.js's pool. One that waits for a file system that does not answer, as for a dead
 * network mount, never comes: then, or where it is not known what hangs, another program takes the process over and ends it.
 *
 * @param hangs whether something of the process is known to hang.
 */
export function leave(code: number, hangs = false): never {
  if (!hangs && !waitsForFiles()) process.exit(code);
  // What process.exit does first: it ends the programs that this process runs.
  process.emit("exit", code);
  try {
    process.execve?.("/bin/sh", ["sh", "-c", `exit ${code}`], {});
  } catch {
    // There is no such program; the signal's own exit code is better than no end.
  }
  process.kill(process.pid, "SIGKILL");
  process.exit(code);
}

function waitsForFiles(): boolean {
  return process.getActiveResourcesInfo().some((kind) => kind.startsWith("FSReq"));
}
