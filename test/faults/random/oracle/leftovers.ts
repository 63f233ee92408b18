import { setTimeout as sleep } from "node:timers/promises";
import { filesBelow } from "../files-below.ts";
import type { Ended } from "../invocation.ts";
import type { FaultyPostgres } from "../servers/postgres-server.ts";
import { shell } from "./programs.ts";
import type { Broken, StoreState } from "./promises.ts";

/** How long processes and sessions may take to end after their command, in milliseconds. */
const GRACE_MS = 8_000;

/** Processes that a command started and that are still there some seconds after it. */
export async function checkProcesses({ args, tree }: Ended): Promise<Broken[]> {
  const end = Date.now() + GRACE_MS;
  while (tree.living().length > 0) {
    if (Date.now() > end) {
      const left = tree.living();
      for (const { pid } of left) process.kill(pid, "SIGKILL");
      const detail = `after ${args[0] ?? ""}: ${left.map(({ pid, command }) => `${pid} ${command}`).join("\n")}`;
      return [{ promise: "no process outlives its command", detail }];
    }
    await sleep(100);
  }
  return [];
}

/** Sessions, and with them locks, that a command has left on the server. */
export async function checkSessions({ args }: Ended, postgres: FaultyPostgres): Promise<Broken[]> {
  const end = Date.now() + GRACE_MS;
  for (;;) {
    const sessions = await postgres.sql(
      "postgres",
      "SELECT pid, datname, state, left(query, 80), (SELECT count(*) FROM pg_locks l WHERE l.pid = a.pid) FROM pg_stat_activity a " +
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();",
    );
    if (sessions.length === 0) return [];
    if (Date.now() > end) {
      await postgres.sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();",
      );
      const detail = `after ${args[0] ?? ""}: ${sessions.join("; ")}`;
      return [{ promise: "no session or lock outlives its command", detail }];
    }
    await sleep(100);
  }
}

/**
 * What is in the stores and on the runner's disk after a run that was not struck, and has pruned.
 *
 * @param planted ids of folders that a forger has made and removed since: what a verification wrote there is left until the next prune
 */
export function checkLeftovers(
  states: readonly StoreState[],
  scratch: string,
  planted: ReadonlySet<string> = new Set(),
): Broken[] {
  const left = states.flatMap(({ backups, unfinished }, index) => {
    const copies = backups.some(
      ({ hasManifest, records }) => !hasManifest && records.some((name) => name.startsWith("copied-")),
    );
    // A copy that may be going on is left alone for the job's time limit and an hour.
    if (copies) return [];
    return [
      ...backups
        .filter(({ hasManifest, id }) => !hasManifest && !planted.has(id))
        .map(({ id }) => `the folder ${id} in destination ${index}`),
      ...unfinished.map((name) => `the upload ${name} in destination ${index}`),
    ];
  });
  left.push(...filesBelow(scratch).map((name) => `${name} in the folder for temporary files`));
  return left.map((detail) => ({ promise: "nothing is left behind", detail }));
}

/** Files and folders of the runner's that others may read. */
export async function checkModes(folders: readonly string[]): Promise<Broken[]> {
  const { output } = await shell('find "$@" -mindepth 1 ! -type l -perm /077', folders);
  const found = output.split("\n").filter((line) => line !== "");
  if (found.length === 0) return [];
  return [{ promise: "files are for their owner alone", detail: found.slice(0, 5).join(", ") }];
}
