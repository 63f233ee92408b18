import { join } from "node:path";
import { setImmediate as immediately, setTimeout as sleep } from "node:timers/promises";
import { filesBelow } from "../files-below.ts";
import type { Ended, Invocation } from "../invocation.ts";
import type { JudgedBackup } from "../oracle/judge.ts";
import { lastLines, newestVerdict, type Broken, type StoreState } from "../oracle/promises.ts";
import { fakedClock } from "../strike.ts";
import { choicesOf, type Hand, type Reach } from "./hand.ts";

const PROMISE = "a run that has lost its lease changes nothing";

/** Milliseconds for which the other host's run stands still at most. */
const STILL_MS = 6_000;

/** Milliseconds in which a store ends what it was asked before the run was stopped. */
const SETTLE_MS = 400;

/**
 * Another host runs the job with another clock, while this one's run is stopped and its sessions are gone, as after a failover. Then that
 * one goes on.
 */
export function twoHosts(
  { scenario, place, states, judge }: Reach,
  waitForMoment: (running: Invocation) => Promise<boolean>,
): Hand {
  const { pick, chance } = choicesOf(scenario.fault.which);
  const clock = pick(["-5m", "-5m", "-2m", "+4m"]);
  const goesOnLate = chance(0.25);
  const still = pick(["its lease", "store: done", "store: done", "a while"]);
  const { postgres, pace } = place.world;
  const paceMs = pace.get(scenario.job.source) ?? 2_000;
  const older = new Set(idsOf(states()));
  let before: readonly string[] | undefined;
  let other: Ended | undefined;
  let taken = false;
  return {
    what: `another host with a clock of ${clock}; the first goes on ${goesOnLate ? "after its run" : `during its run, after ${still}`}`,
    harmed: [],
    act: async (running) => {
      if (!(await waitForMoment(running))) return false;
      running.child.kill("SIGSTOP");
      await postgres.sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend';",
      );
      await sleep(SETTLE_MS);
      before = idsOf(await statesNow());
      const leased = await leases();
      const second = place.start(["backup"], { env: fakedClock(clock) });
      const { ended, child } = second;
      // From there on the other has the lease, in each store.
      while (child.exitCode === null && !(await leasedAnew(leased)) && !second.said().includes("waits up to")) {
        await sleep(10);
      }
      if (goesOnLate) await ended;
      else if (still === "a while") await Promise.race([ended, sleep(pick([0.1, 0.4, 0.7]) * paceMs)]);
      else await standStill(second, still);
      taken = await leasedAnew(leased);
      running.child.kill("SIGCONT");
      if (!goesOnLate && still !== "a while") {
        // The other goes on once the first has had its time: whatever that one does, it does beside a run that is going on.
        await Promise.race([running.ended, sleep(STILL_MS)]);
        second.child.kill("SIGCONT");
      }
      other = await ended;
      return true;
    },
    check: async (command, ended) => {
      if (command !== "backup" || other === undefined || before === undefined) return [];
      const [second, known] = [other, before];
      other = undefined;
      const broken: Broken[] = [];
      if (second.code !== 0 && second.code !== 6) {
        const detail = `the other host's run ended with ${String(second.code)}: ${lastLines(second.stderr, 6)}; the first with ${String(ended.code)}`;
        broken.push({ promise: PROMISE, detail });
      }
      if (second.code !== 0) return broken;
      const own = /\d{8}T\d{6}Z-[0-9a-f]{6}/.exec(second.stdout)?.[0] ?? "";
      const now = await statesNow();
      const made = idsOf(
        now,
        ended.code === 0 ? () => true : ({ records }) => newestVerdict({ records }) !== undefined,
      );
      // A first run whose lease the other waits for has lost none.
      const late = !taken
        ? []
        : made.filter((each) => !known.includes(each) && !older.has(each) && !each.endsWith(own));
      if (late.length > 0)
        broken.push({ promise: PROMISE, detail: `after the other host's ${own} it made ${late.join(", ")}` });
      for (const [index, { backups }] of now.entries()) {
        const there = backups.find(({ id }) => id === own);
        if (there?.faults.length === 0) continue;
        const detail = `of ${own} in destination ${index}: ${there?.faults.join(", ") ?? "nothing is there"}`;
        broken.push({ promise: PROMISE, detail });
      }
      return broken;
    },
    remove: () => Promise.resolve(),
  };

  /** The objects of the job's lease in each store. */
  function leases(): Promise<string[][]> {
    return Promise.all(
      place.stores.map(async (store) => filesBelow(join((await store.export()).folder, "faults/app/lease"))),
    );
  }

  async function leasedAnew(old: readonly (readonly string[])[]): Promise<boolean> {
    return (await leases()).every((names, index) => names.some((name) => !old[index]?.includes(name)));
  }

  async function statesNow(): Promise<StoreState[]> {
    const all: StoreState[] = [];
    for (const store of place.stores) {
      const { folder, unfinished } = await store.export();
      all.push({ backups: await judge.judge(folder), unfinished });
    }
    return all;
  }
}

/** Stops a run right after a line of its log, or at once where it has its lease. */
async function standStill(run: Invocation, line: string): Promise<void> {
  const due = line === "its lease" ? "" : `"${line}"`;
  while (run.child.exitCode === null && run.child.signalCode === null && !run.said().includes(due)) {
    await immediately();
  }
  run.child.kill("SIGSTOP");
}

/**
 * The folders that are backups, as `store/backup`.
 *
 * @param counts leaves some out: a manifest that was sent right before the run was stopped may arrive, and its run does not count it
 */
function idsOf(states: readonly StoreState[], counts: (backup: JudgedBackup) => boolean = () => true): string[] {
  return states.flatMap(({ backups }, index) =>
    backups.flatMap((each) => (each.hasManifest && counts(each) ? [`${index}/${each.id}`] : [])),
  );
}
