import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startPostgres } from "../postgres.ts";
import { createSampleDatabase } from "../sample-database.ts";
import { type Check, describeCheck, judge } from "./check.ts";
import { median } from "./median.ts";
import { type Cost, runMeasured } from "./run-measured.ts";

// What Sentry costs a run on an almost empty database, where it shows most: npm run bench:monitor -- --runs 15

const { values: options } = parseArgs({ options: { runs: { type: "string", default: "15" } } });

/** What a run with Sentry may take more than one without; beyond that this ends with 1. */
const LIMITS = { seconds: 0.6, megabytes: 60 };

const cli = fileURLToPath(new URL("../../runner/cli.js", import.meta.url));
const directory = await mkdtemp(join(tmpdir(), "provision-bench-"));
const ingest = createServer((request, response) => {
  request.resume().on("end", () => response.end("{}"));
});
await new Promise<void>((resolve) => ingest.listen(0, "127.0.0.1", resolve));
const postgres = await startPostgres();

async function run(monitor: readonly object[]): Promise<Cost> {
  const [job, out] = ["job.json", "out"].map((name) => join(directory, name)) as [string, string];
  await rm(out, { recursive: true, force: true });
  await writeFile(
    job,
    JSON.stringify({
      stack: "bench",
      name: "app",
      schedule: { cron: "0 3 * * *" },
      database: { kind: "postgres", url: { env: "URL" } },
      destinations: [{ kind: "filesystem", path: out }],
      monitor,
    }),
  );
  const env = {
    PATH: process.env.PATH,
    URL: postgres.url("bench"),
    DSN: `http://key@127.0.0.1:${(ingest.address() as AddressInfo).port}/1`,
  };
  const command = [process.execPath, cli, "backup", "--job", job, "--log-level", "error"];
  return runMeasured("The backup", command, { env, memory: true });
}

try {
  await createSampleDatabase(postgres.url("bench"), { megabytes: 1 });
  const cases = { without: [] as Cost[], "with Sentry": [] as Cost[] };
  // They take turns, so that a machine that grows slower or faster does not favour one of them.
  for (let round = 0; round < Number(options.runs); round += 1) {
    cases.without.push(await run([]));
    cases["with Sentry"].push(await run([{ kind: "sentry", dsn: { env: "DSN" } }]));
  }
  const medians = Object.entries(cases).map(([name, costs]) => {
    const cost = {
      seconds: median(costs.map(({ seconds }) => seconds)),
      megabytes: median(costs.map(({ megabytes }) => megabytes)),
    };
    console.log(`  ${cost.seconds.toFixed(2)} s  ${cost.megabytes.toFixed(0).padStart(3)} MB  ${name}`);
    return cost;
  });
  const [without, withSentry] = medians;
  if (!without || !withSentry) throw new Error("There was nothing to measure.");
  const more = (what: keyof Cost) => withSentry[what] - without[what];
  const checks: Check[] = [
    { what: "more time with Sentry", value: more("seconds"), atMost: LIMITS.seconds, unit: "s" },
    { what: "more memory with Sentry", value: more("megabytes"), atMost: LIMITS.megabytes, unit: "MB" },
  ];
  for (const check of checks) console.log(describeCheck(check));
  judge(checks);
} finally {
  await postgres.stop();
  ingest.close();
  ingest.closeAllConnections();
  await rm(directory, { recursive: true, force: true });
}
