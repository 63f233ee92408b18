import type { Attributes } from "../../providers/monitor/monitor.ts";
import type { BackupFolder } from "../catalogue/backup-folder.ts";
import { newestFirst } from "../catalogue/catalogue.ts";
import { secondsOf } from "./report.ts";
import type { RunState } from "./state.ts";

/** Milliseconds for finding older backups at a run's end, which only monitors wait for. */
const LOOK_BACK_MS = 5_000;

/**
 * The ages of the job's newest verified backup and, where it has drills, of its newest drilled one. The stores are asked for
 * what this run does not know; one that does not answer in time is ignored. A run that was aborted asks nothing.
 */
export async function agesOf(state: RunState): Promise<Attributes> {
  const { job, signal } = state.run;
  const verifiedNow = state.destinations.some(({ verification }) => verification?.outcome === "verified");
  const known = verifiedNow ? { newestVerifiedSeconds: secondsOf(state) } : {};
  if (signal.aborted || (verifiedNow && !job.drill)) return known;
  const backups = await recentBackups(state);
  const verified = backups.filter((backup) => backup.state === "verified");
  const drilled = backups.filter(({ drill }) => drill?.outcome === "drilled");
  return { ...age("newestVerifiedSeconds", verified), ...age("newestDrilledSeconds", drilled), ...known };
}

/** From each store, the newest backups until a verified one is found and, where the job has drills, a drilled one. */
async function recentBackups({ run: { job }, destinations }: RunState): Promise<BackupFolder[]> {
  const limit = AbortSignal.timeout(LOOK_BACK_MS);
  const late = new Promise<void>((resolve) => {
    limit.addEventListener("abort", () => {
      resolve();
    });
  });
  const backups: BackupFolder[] = [];
  const searches = destinations.map(async ({ storage }) => {
    let [verified, drilled] = [false, job.drill === undefined];
    for await (const backup of storage ? newestFirst(storage, job, limit) : []) {
      backups.push(backup);
      verified ||= backup.state === "verified";
      drilled ||= backup.drill?.outcome === "drilled";
      if (verified && drilled) return;
    }
  });
  await Promise.race([Promise.allSettled(searches), late]);
  return backups;
}

function age(name: string, backups: readonly BackupFolder[]): Attributes {
  if (backups.length === 0) return {};
  const newestMs = Math.max(...backups.map(({ time }) => time.getTime()));
  return { [name]: Math.round((Date.now() - newestMs) / 1000) };
}
