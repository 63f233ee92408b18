import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { backUpFiles, startManyFiles } from "../many-files.ts";
import { startPostgres } from "../postgres.ts";
import { type Check, describeCheck, judge } from "./check.ts";

// Backs up the files of a storage service: all of them, and again after one in a hundred has changed. Ends with 1 where the
// second run takes more than a tenth of the first one's time.

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    /** How many, in hundreds. */
    files: { type: "string", default: "20000" },
  },
});

/** What the program promises: the time of a run in which 1 % has changed to that of the first. */
const RATIO = 0.1;

const say = (line: string) => {
  if (!options.json) console.log(line);
};
const count = Number(options.files);
if (!Number.isInteger(count / 100) || count < 100)
  throw new Error(`--files must be a multiple of 100, not ${options.files}.`);

const postgres = await startPostgres();
const many = await startManyFiles(postgres.url("postgres"), count);
try {
  const first = await backUpFiles(many.sandbox, 0);
  if (first.copied !== count) throw new Error(`Of ${count} files only ${first.copied} were copied.`);
  say(`${first.copied} files copied in ${first.seconds.toFixed(1)} s, the whole run ${first.runSeconds.toFixed(1)} s`);
  const changed = many.change().length;
  // A file that changed in the second in which its listing began is copied once more.
  await sleep(1_100);
  const second = await backUpFiles(many.sandbox, 0);
  say(
    `${second.copied} copied and ${second.unchanged} unchanged in ${second.seconds.toFixed(1)} s, ` +
      `the whole run ${second.runSeconds.toFixed(1)} s`,
  );
  const checks: Check[] = [
    { what: "copied when one in a hundred has changed", value: second.copied, atMost: changed, unit: "files" },
    {
      what: "time for the files, the second run's to the first's",
      value: second.seconds / first.seconds,
      atMost: RATIO,
    },
    {
      what: "time of the whole run, the second's to the first's",
      value: second.runSeconds / first.runSeconds,
      atMost: RATIO,
    },
  ];
  for (const check of checks) say(describeCheck(check));
  if (options.json) console.log(JSON.stringify({ files: count, first, second, checks }, null, 2));
  judge(checks);
} finally {
  await many.close();
  await postgres.stop();
}
