import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { startPostgres } from "../postgres.ts";
import { createSampleDatabase } from "../sample-database.ts";

// Whether each of many short backups ends: npm run bench:exits -- --runs 2000

const { values: options } = parseArgs({ options: { runs: { type: "string", default: "2000" } } });
const runs = Number(options.runs);

/** Milliseconds after which a backup of an almost empty database hangs: it takes half a second. */
const LIMIT_MS = 60_000;

/** Jobs that run at the same time, each with a store of its own. */
const LANES = 2;

const cli = fileURLToPath(new URL("../../runner/cli.js", import.meta.url));
const directory = await mkdtemp(join(tmpdir(), "provision-bench-"));
const postgres = await startPostgres();
const failures: string[] = [];
let [begun, done, slowestMs] = [0, 0, 0];

async function lane(index: number): Promise<void> {
  const job = join(directory, `job-${index}.json`);
  await writeFile(
    job,
    JSON.stringify({
      stack: "bench",
      name: `app-${index}`,
      database: { kind: "postgres", url: { env: "URL" } },
      destinations: [{ kind: "filesystem", path: join(directory, `store-${index}`) }],
      retention: { last: 3 },
    }),
  );
  const args = [cli, "backup", "--job", job, "--log-level", "error"];
  const env = { PATH: process.env.PATH, URL: postgres.url("bench") };
  while (begun < runs) {
    const run = (begun += 1);
    const start = performance.now();
    try {
      await promisify(execFile)(process.execPath, args, { env, timeout: LIMIT_MS, killSignal: "SIGKILL" });
    } catch (error) {
      const { code, signal, stderr } = error as { code?: number; signal?: string; stderr?: string };
      failures.push(`Run ${run} ended with ${String(code ?? signal)}: ${stderr?.trim().split("\n").at(-1) ?? ""}`);
    }
    slowestMs = Math.max(slowestMs, performance.now() - start);
    done += 1;
    if (done % 100 === 0) console.log(`${done} of ${runs} ended, ${failures.length} of them not with 0`);
  }
}

try {
  await createSampleDatabase(postgres.url("bench"), { megabytes: 1 });
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)));
} finally {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
for (const failure of failures) console.error(failure);
console.log(`${done} backups ended, the slowest after ${(slowestMs / 1000).toFixed(1)} s; ${failures.length} failed`);
process.exitCode = failures.length > 0 ? 1 : 0;
