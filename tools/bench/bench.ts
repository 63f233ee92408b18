import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { startPostgres, type Postgres } from "../postgres.ts";
import { createSampleDatabase } from "../sample-database.ts";
import { cases, limits, type Case } from "./cases.ts";

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
  /** Peak memory of the Node.js process in megabytes, the largest of the runs; of this program alone. */
  readonly peakMegabytes?: number;
}

const preload = pathToFileURL(fileURLToPath(new URL("peak-memory.ts", import.meta.url))).href;
const directory = await mkdtemp(join(tmpdir(), "provision-bench-"));
const say = (line: string) => {
  if (!options.json) console.log(line);
};

async function run(each: Case, url: string): Promise<{ seconds: number; peak: number }> {
  const out = join(directory, "out");
  const peakFile = join(directory, "peak");
  await rm(out, { recursive: true, force: true });
  await mkdir(out);
  const environment: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    URL: url,
    OUT: out,
    ...(each.own ? { NODE_OPTIONS: `--import ${preload}`, BENCH_PEAK_FILE: peakFile } : {}),
  };
  const begun = performance.now();
  const child = spawn("/bin/sh", ["-c", each.command], { env: environment, stdio: ["ignore", "ignore", "inherit"] });
  const code = await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
  const seconds = (performance.now() - begun) / 1000;
  if (code !== 0) throw new Error(`${each.name} ended with ${String(code)}.`);
  return { seconds, peak: each.own ? Number(await readFile(peakFile, "utf8")) / 1024 : 0 };
}

/** The cases take turns, so that a machine that grows slower or faster does not favour one of them. */
async function measure(all: readonly Case[], url: string, rounds: number): Promise<Measurement[]> {
  const runs = new Map(all.map((each) => [each, [] as Awaited<ReturnType<typeof run>>[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [each, results] of runs) results.push(await run(each, url));
  }
  return [...runs].map(([{ name, own }, results]) => ({
    name,
    seconds: median(results.map(({ seconds }) => seconds)),
    ...(own ? { peakMegabytes: Math.max(...results.map(({ peak }) => peak)) } : {}),
  }));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function ratiosOf(measurements: readonly Measurement[]) {
  const seconds = (name: string) => measurements.find((measurement) => measurement.name === name)?.seconds ?? NaN;
  return limits.map(({ of, to, atMost }) => ({ of, to, ratio: seconds(of) / seconds(to), atMost }));
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

async function bench(postgres: Postgres) {
  const all = cases(postgres.binDirectory, await jobFiles());
  const results = [];
  for (const megabytes of [1, ...options.sizes.split(",").map(Number)]) {
    const url = postgres.url(`bench_${megabytes}`);
    say(`\n${megabytes === 1 ? "An almost empty database" : `A database of ${megabytes} MB`}`);
    await createSampleDatabase(url, { megabytes });
    const measurements = await measure(all, url, Number(options.runs));
    for (const { name, seconds, peakMegabytes } of measurements) {
      const memory = peakMegabytes === undefined ? "" : `  ${peakMegabytes.toFixed(0)} MB`;
      say(`  ${seconds.toFixed(2).padStart(7)} s  ${name}${memory}`);
    }
    const ratios = megabytes === 1 ? [] : ratiosOf(measurements);
    for (const { of, to, ratio, atMost } of ratios) {
      say(`  ${ratio.toFixed(2)} (at most ${atMost.toFixed(2)})  ${of}  to  ${to}`);
    }
    results.push({ megabytes, measurements, ratios });
  }
  return results;
}

const postgres = await startPostgres({ settings: { shared_buffers: "512MB" } });
try {
  const results = await bench(postgres);
  if (options.json) console.log(JSON.stringify({ runs: Number(options.runs), results }, null, 2));
} finally {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
