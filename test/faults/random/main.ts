import { appendFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { missingHere, prepareMachine } from "./machine.ts";
import { readOptions, USAGE, type Options } from "./options.ts";
import { detailsOf, lineOf, summaryOf } from "./report.ts";
import { makeRun, type Outcome } from "./run.ts";
import { draw, seedOf, type Missing } from "./scenario.ts";
import { selfTest } from "./self-test.ts";
import { openWorld, type World } from "./servers/world.ts";

// Random faults against the real runner, judged by sha256sum, gzip, age, zstd, pg_restore and psql. See docs/promises.md.

const RUNNER = [process.execPath, fileURLToPath(new URL("../../../runner/cli.js", import.meta.url))];

/** What became of all runs. */
interface Results {
  readonly outcomes: readonly Outcome[];
  /** Numbers of the runs that broke a promise and did not when they were made once more. */
  readonly once: readonly number[];
}

/** Runs from the first number on, several at a time, until there is no time left. */
async function runAll(options: Options, missing: Missing, worlds: readonly World[]): Promise<Results> {
  const { seed, minutes, runs = Infinity, only } = options;
  const outcomes: Outcome[] = [];
  const once: number[] = [];
  const end = Date.now() + minutes * 60_000;
  let next = only ?? 1;
  const last = only ?? runs;
  let told = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (told) process.exit(1);
      told = true;
      console.log(
        "Ends after the runs that are going on; a second signal ends at once, and leaves servers and disks behind.",
      );
    });
  }
  const make = async (run: number, world: World): Promise<Outcome> => {
    const scenario = draw(seedOf(seed, run), missing, options.wanted);
    const outcome = await makeRun(scenario, world).catch((error: unknown) => {
      throw new Error(`Run ${run} of seed ${seed} could not be made: ${String((error as Error).stack)}`, {
        cause: error,
      });
    });
    console.log(lineOf(run, outcome));
    if (outcome.broken.length > 0) console.log(detailsOf(run, againOf(options, run), outcome));
    if (options.log !== undefined) {
      // The commands are long, so only a failure lists them.
      const commands =
        outcome.broken.length === 0 ? [] : outcome.commands.map((each) => ({ ...each, tree: undefined }));
      appendFileSync(options.log, `${JSON.stringify({ seed, run, ...outcome, commands })}\n`);
    }
    return outcome;
  };
  const lane = async (world: World): Promise<void> => {
    while (next <= last && Date.now() < end && !told) {
      const run = next;
      next += 1;
      let outcome = await make(run, world);
      if (options.confirm && outcome.broken.length > 0) {
        outcome = await make(run, world);
        if (outcome.broken.length === 0) once.push(run);
      }
      outcomes.push(outcome);
    }
  };
  await Promise.all(worlds.map(lane));
  return { outcomes, once };
}

/** The command that makes a run again. */
function againOf({ seed, wanted }: Options, run: number): string {
  const filters = Object.entries(wanted).flatMap(([name, value]: [string, unknown]) =>
    typeof value === "string" ? [`--${name}`, JSON.stringify(value)] : [],
  );
  return ["npm run test:faults --", `--seed ${seed} --run ${run}`, ...filters].join(" ");
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  await prepareMachine();
  const missing = await missingHere();
  if (options.selfTest) return selfTest(RUNNER, options.wanted.fault);
  const { seed } = options;
  console.log(`seed ${seed}`);
  const withS3 = !missing.stores.includes("s3");
  const lanes = options.only === undefined ? Math.max(1, options.lanes) : 1;
  const worlds = await Promise.all(Array.from({ length: lanes }, () => openWorld({ runner: RUNNER, withS3 })));
  try {
    const { outcomes, once } = await runAll(options, missing, worlds);
    const broken = outcomes.filter((outcome) => outcome.broken.length > 0).length;
    console.log(summaryOf(outcomes));
    if (once.length > 0) console.log(`broke a promise once, and none when made again: run ${once.join(", ")}`);
    console.log(`${outcomes.length} runs of seed ${seed}, ${broken} broke a promise`);
    return broken > 0 || outcomes.length === 0 ? 1 : 0;
  } finally {
    await Promise.all(worlds.map((world) => world.stop()));
  }
}

process.exitCode = await main();
