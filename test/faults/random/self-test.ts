import { fileURLToPath } from "node:url";
import type { PromiseName } from "./oracle/promises.ts";
import { detailsOf } from "./report.ts";
import { makeRun } from "./run.ts";
import type { CommandName, FaultName, Scenario } from "./scenario.ts";
import { openWorld } from "./servers/world.ts";

/** Each defect of broken-runner.ts, and the promise that it breaks. */
const CAUGHT_BY: Readonly<Record<string, PromiseName>> = {
  "cuts an archive": "0 means a good new backup in every destination",
  "writes no manifest": "0 means a good new backup in every destination",
  "stores other rows": "0 means a good new backup in every destination",
  "prints the password": "no secret is shown",
  "writes the password into a file": "no secret is at rest in plain",
  "passes the password as an argument": "no secret is shown",
  "prints a row": "no row is shown",
  "removes an older backup": "good backups stay as the retention rule says",
  "calls a good backup damaged": "no good backup is called damaged",
  "never ends": "every command ends in time",
  "leaves a process": "no process outlives its command",
  "leaves a session": "no session or lock outlives its command",
  "leaves a file in the scratch folder": "nothing is left behind",
  "leaves a partial file": "nothing is left behind",
  "writes a file that others may read": "files are for their owner alone",
  "ends with 13": "exit codes are those that are documented",
  "fails without a word": "a failure says why",
  "tells no monitor": "monitors hear the end of every run",
};

/** Each defect that only a hostile hand shows: the promise that it breaks, and the run in which it does. */
const CAUGHT_WITH: Readonly<Record<string, readonly [PromiseName, FaultName, CommandName, number]>> = {
  "restores before it has read": ["no unproven byte acts", "forged archive", "restore", 0.9],
  "refuses because of a forged manifest": ["what is not proven decides nothing", "forged manifest", "backup", 0.3],
  "takes over the order of another manifest": ["what is not proven decides nothing", "old manifest", "backup", 0.3],
  "lists what a forged record says": ["what is not proven decides nothing", "forged record", "list", 0.7],
  "obeys the role's settings": ["odd settings change no backup and no restore", "odd settings", "backup", 0.3],
  "calls functions by any search path": [
    "no foreign code runs as the backup role",
    "shadowing functions",
    "backup",
    0.3,
  ],
  "runs a table's code as a superuser": [
    "restored code has no right that it had not at the source",
    "table owner",
    "drill",
    0.3,
  ],
  "commits after its lease is lost": ["a run that has lost its lease changes nothing", "two hosts", "backup", 0.3],
  "removes what is held": ["a backup that hold calls held is still there", "hold during prune", "prune", 0.3],
};

const SCENARIO: Scenario = {
  job: {
    stores: ["filesystem"],
    encrypted: false,
    dump: "stream",
    source: "small",
    files: false,
    keep: 2,
    webhook: true,
    signed: false,
    ownServer: false,
  },
  before: 1,
  command: "backup",
  parallelRestore: false,
  fault: { name: "none", moment: { after: "start", plus: 0 }, lasts: undefined, which: 0, bytes: 0 },
  after: undefined,
  deep: true,
};

/**
 * Makes a run with each broken runner, and one with the real one.
 *
 * @param only a part of the names of the defects to try; default: all of them
 * @returns the exit code: 0 where each was judged rightly
 */
export async function selfTest(runner: readonly string[], only = ""): Promise<number> {
  const world = await openWorld({ runner, withS3: false });
  const defects = Object.entries(CAUGHT_BY).filter(([defect]) => defect.includes(only));
  const shown = Object.entries(CAUGHT_WITH).filter(([defect]) => defect.includes(only));
  let wrong = 0;
  const judge = async (
    name: string,
    broken: readonly string[],
    due: PromiseName | undefined,
    scenario = SCENARIO,
  ): Promise<void> => {
    const limit = name === "never ends" ? { limitMs: 20_000 } : {};
    const outcome = await makeRun(scenario, { ...world, runner: broken, ...limit });
    const promises = outcome.broken.map(({ promise }) => promise);
    const right = due === undefined ? promises.length === 0 : promises.includes(due);
    if (!right) wrong += 1;
    console.log(
      `${right ? "ok" : "WRONG"}: a runner that ${name}: ${[...new Set(promises)].join("; ") || "nothing broken"}`,
    );
    if (!right) console.log(detailsOf(0, "npm run test:faults -- --self-test", outcome));
  };
  try {
    await judge("is as it is", runner, undefined);
    const defective = fileURLToPath(new URL("broken-runner.ts", import.meta.url));
    for (const [defect, promise] of defects) {
      await judge(defect, [process.execPath, defective, defect], promise);
    }
    for (const [defect, [promise, fault, command, which]] of shown) {
      const job = {
        ...SCENARIO.job,
        signed: fault.startsWith("forged m") || fault.startsWith("old") || fault.startsWith("forged r"),
      };
      const moment = { after: "commit: done", plus: 0 } as const;
      const scenario = { ...SCENARIO, job, command, fault: { ...SCENARIO.fault, name: fault, which, moment } };
      await judge(defect, [process.execPath, defective, defect], promise, scenario);
    }
  } finally {
    await world.stop();
  }
  console.log(`${defects.length + shown.length + 1} runners, ${wrong} judged wrongly`);
  return wrong > 0 ? 1 : 0;
}
