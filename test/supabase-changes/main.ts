/**
 * Changes a fixture project at random, backs it up, restores it, and compares both sides by pg_dump and hashes of all rows. Whatever
 * differs must have been named by the backup:
 *
 *     npm run test:changes -- --changes 300 [--seed 1] [--each 12] [--from 15|17] [--to 15|17]
 *
 * 15 stands for the installed PostgreSQL. Prints the seed, a line for each project, and ends with 1 where anything is broken.
 */
import { parseArgs } from "node:util";
import { openPair, runProjects } from "./run.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    changes: { type: "string", default: "300" },
    each: { type: "string", default: "12" },
    from: { type: "string", default: "15" },
    to: { type: "string", default: "17" },
  },
});
console.log(`seed ${values.seed}`);
const pair = await openPair(values.from === "17" ? 17 : "installed", values.to === "17" ? 17 : "installed");
let made = 0;
let bad = 0;
try {
  const counts = { seed: Number(values.seed), changes: Number(values.changes), each: Number(values.each) };
  for await (const { changes, owned, broken } of runProjects(pair, counts)) {
    made += changes.length;
    bad += broken.length;
    console.log(`${made} changes, target ${owned ? "owned by postgres" : "as since 2025"}: ${broken.length} broken`);
    if (broken.length > 0) console.log([`  after: ${changes.join("; ")}`, ...broken].join("\n"));
  }
} finally {
  await pair.stop();
}
console.log(`${made} changes, ${bad} broken`);
process.exitCode = bad === 0 ? 0 : 1;
