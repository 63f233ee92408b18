import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { Client } from "pg";
import { startPostgres, type Postgres } from "../postgres.ts";
import { createSampleDatabase } from "../sample-database.ts";
import { cases, limits, type Case } from "./cases.ts";
import { type Check, describeCheck, judge } from "./check.ts";
import { median } from "./median.ts";
import { type Cost, runMeasured } from "./run-measured.ts";

// Compares `provision backup` with pg_dump and its peers on the same databases. Ends with 1 where something is not as promised.

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    /** Sizes of the databases in megabytes. */
    sizes: { type: "string", default: "300,2000" },
    runs: { type: "string", default: "3" },
  },
});

/** What one case took, the median of its runs. */
interface Measurement {
  readonly name: string;
  readonly seconds: number;
  /** Peak memory of the Node.js process, the largest of the runs; of this program alone. */
  readonly peakMegabytes?: number;
}

const directory = await mkdtemp(join(tmpdir(), "provision-bench-"));
const say = (line: string) => {
  if (!options.json) console.log(line);
};

async function run(each: Case, url: string): Promise<Cost> {
  const out = join(directory, "out");
  await rm(out, { recursive: true, force: true });
  await mkdir(out);
  const env = { PATH: process.env.PATH, URL: url, OUT: out };
  return runMeasured(each.name, ["/bin/sh", "-c", each.command], { env, memory: each.own });
}

/** The cases take turns, so that a machine that grows slower or faster does not favour one of them. */
async function measure(all: readonly Case[], url: string, rounds: number): Promise<Measurement[]> {
  const runs = new Map(all.map((each) => [each, [] as Cost[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [each, results] of runs) results.push(await run(each, url));
  }
  return [...runs].map(([{ name, own }, results]) => ({
    name,
    seconds: median(results.map(({ seconds }) => seconds)),
    ...(own ? { peakMegabytes: Math.max(...results.map(({ megabytes }) => megabytes)) } : {}),
  }));
}

/** What is promised of each database, and of an empty one (0 MB). */
function checksOf(megabytes: number, measurements: readonly Measurement[]): Check[] {
  const seconds = (name: string) => measurements.find((measurement) => measurement.name === name)?.seconds ?? NaN;
  const own = measurements.flatMap(({ name, peakMegabytes }): Check[] => [
    ...(peakMegabytes === undefined
      ? []
      : [{ what: `memory of ${name}`, value: peakMegabytes, atMost: limits.megabytes, unit: "MB" as const }]),
    ...(peakMegabytes === undefined || megabytes > 0
      ? []
      : [
          {
            what: `${name} of an empty database`,
            value: seconds(name),
            atMost: limits.emptySeconds,
            unit: "s" as const,
          },
        ]),
  ]);
  if (megabytes === 0) return own;
  const ratios = limits.ratios.map(({ of, to, atMost }) => ({
    what: `${of}  to  ${to}`,
    value: seconds(of) / seconds(to),
    atMost,
  }));
  return [...ratios, ...own];
}

/** The memory of each case must not grow with the database. */
function growthOf(results: readonly { readonly measurements: readonly Measurement[] }[]): Check[] {
  const peaks = new Map<string, number[]>();
  for (const { name, peakMegabytes } of results.flatMap(({ measurements }) => measurements)) {
    if (peakMegabytes !== undefined) peaks.set(name, [...(peaks.get(name) ?? []), peakMegabytes]);
  }
  return [...peaks].map(([name, each]) => ({
    what: `memory of ${name}, the largest to the smallest`,
    value: Math.max(...each) / Math.min(...each),
    atMost: limits.growth,
  }));
}

async function jobFiles(): Promise<{ plain: string; encrypted: string }> {
  const job = {
    stack: "bench",
    name: "app",
    database: { kind: "postgres", url: { env: "URL" } },
    destinations: [{ kind: "filesystem", path: join(directory, "out") }],
  };
  const recipient = await identityToRecipient(await generateX25519Identity());
  const files = { plain: join(directory, "plain.json"), encrypted: join(directory, "encrypted.json") };
  await writeFile(files.plain, JSON.stringify(job));
  await writeFile(files.encrypted, JSON.stringify({ ...job, encryption: { recipients: [recipient] } }));
  return files;
}

async function createEmptyDatabase(postgres: Postgres, name: string): Promise<void> {
  const client = new Client({ connectionString: postgres.url("postgres") });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)} TEMPLATE template0`);
  } finally {
    await client.end();
  }
}

async function bench(postgres: Postgres) {
  const all = cases(postgres.binDirectory, await jobFiles());
  const results = [];
  for (const megabytes of [0, ...options.sizes.split(",").map(Number)]) {
    const name = `bench_${megabytes}`;
    const url = postgres.url(name);
    say(`\n${megabytes === 0 ? "An empty database" : `A database of ${megabytes} MB`}`);
    await (megabytes === 0 ? createEmptyDatabase(postgres, name) : createSampleDatabase(url, { megabytes }));
    const measurements = await measure(all, url, Number(options.runs));
    for (const { name: what, seconds, peakMegabytes } of measurements) {
      const memory = peakMegabytes === undefined ? "" : `  ${peakMegabytes.toFixed(0)} MB`;
      say(`  ${seconds.toFixed(2).padStart(7)} s  ${what}${memory}`);
    }
    const checks = checksOf(megabytes, measurements);
    for (const check of checks) say(describeCheck(check));
    results.push({ megabytes, measurements, checks });
  }
  const growth = growthOf(results.filter(({ megabytes }) => megabytes > 0));
  say("\nOver all sizes");
  for (const check of growth) say(describeCheck(check));
  return { runs: Number(options.runs), results, growth };
}

const postgres = await startPostgres({ settings: { shared_buffers: "512MB" } });
try {
  const measured = await bench(postgres);
  if (options.json) console.log(JSON.stringify(measured, null, 2));
  const ofSizes = measured.results.flatMap(({ megabytes, checks }) =>
    checks.map((check) => ({ ...check, what: `${check.what}, ${megabytes} MB` })),
  );
  judge([...ofSizes, ...measured.growth]);
} finally {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
