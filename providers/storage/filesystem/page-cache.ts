import { spawn } from "node:child_process";
import type { FileHandle } from "node:fs/promises";

/** Milliseconds in which dd is done. On a file system that hangs it never is: the caller goes on without it. */
const PATIENCE_MS = 10_000;

/**
 * Has the operating system forget what it holds of an open file in memory, so that its bytes come from the medium when they are
 * read: only that shows what is on it. What is not written to the medium yet stays in memory.
 *
 * By GNU dd, since Node.js has no posix_fadvise.
 * https://www.gnu.org/software/coreutils/manual/html_node/dd-invocation.html
 *
 * @returns false where that cannot be had: no dd, or another one (macOS, BusyBox)
 */
export function forgetCached(file: FileHandle): Promise<boolean> {
  return new Promise((resolve) => {
    const dd = spawn("dd", ["iflag=nocache", "count=0"], { stdio: [file.fd, "ignore", "ignore"] });
    const settle = (done: boolean) => {
      clearTimeout(timer);
      resolve(done);
    };
    const timer = setTimeout(() => {
      dd.kill("SIGKILL");
      settle(false);
    }, PATIENCE_MS);
    dd.on("error", () => {
      settle(false);
    });
    dd.on("exit", (code) => {
      settle(code === 0);
    });
  });
}
