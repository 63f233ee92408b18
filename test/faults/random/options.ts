import { parseArgs } from "node:util";
import type { Wanted } from "./scenario.ts";

/** What the command line says. */
export interface Options {
  readonly seed: number;
  /** Minutes after which no run begins any more. */
  readonly minutes: number;
  /** The most runs; undefined for as many as there is time for. */
  readonly runs: number | undefined;
  /** The only run to make, by its number. */
  readonly only: number | undefined;
  /** Runs at the same time. */
  readonly lanes: number;
  /** File to which a line of JSON is written for each run. */
  readonly log: string | undefined;
  /** Whether a run that breaks a promise is made once more, and counts only if that breaks one too. */
  readonly confirm: boolean;
  readonly selfTest: boolean;
  /** What alone is drawn. */
  readonly wanted: Wanted;
}

export const USAGE = `Usage: npm run test:faults -- [options]

  --minutes N   begin runs for so long (default 5)
  --runs N      make so many runs, however long it takes
  --seed N      draw the runs from this seed (default: a new one, which is printed)
  --run N       make only the run of this number
  --fault TEXT  only faults whose name has this text, such as "runner SIG"
  --command C   only runs of this command, such as restore
  --store KIND  only jobs with such a destination
  --lanes N     so many runs at the same time (default 2)
  --log FILE    write a line of JSON for each run
  --confirm     make a run that breaks a promise once more: it counts if that breaks one too, and is named in any case
  --self-test   put broken runners in the runner's place: each must be caught (with --fault: those of that name)`;

/** @throws {Error} that says what is wrong */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string" },
      runs: { type: "string" },
      seed: { type: "string" },
      run: { type: "string" },
      fault: { type: "string" },
      command: { type: "string" },
      store: { type: "string" },
      lanes: { type: "string", default: "2" },
      log: { type: "string" },
      confirm: { type: "boolean", default: false },
      "self-test": { type: "boolean", default: false },
    },
  });
  const runs = count("--runs", values.runs);
  const minutes = count("--minutes", values.minutes);
  return {
    seed: count("--seed", values.seed) ?? Math.floor(Math.random() * 1_000_000),
    minutes: minutes ?? (runs === undefined ? 5 : Infinity),
    runs,
    only: count("--run", values.run),
    lanes: count("--lanes", values.lanes) ?? 2,
    log: values.log,
    confirm: values.confirm,
    selfTest: values["self-test"],
    wanted: { fault: values.fault, command: values.command, store: values.store },
  };
}

function count(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`${name} takes a whole number, and not "${text}".`);
  return value;
}
