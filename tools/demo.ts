import { spawn } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { Client } from "pg";
import { bytes } from "../providers/fields/sizes.ts";
import { compareDatabases, tellDifferences } from "./compare-databases.ts";
import { secret, startEngine, type Engine, type EngineStack } from "./engine.ts";
import { demoNeeds } from "./needs.ts";
import { startPostgres, type Postgres } from "./postgres.ts";
import { createSampleDatabase } from "./sample-database.ts";
import { scheduledCall, type Call } from "./scheduled-call.ts";
import { ensureSystemPrograms } from "./install/system-programs.ts";

/** What the demo's database weighs, in megabytes. */
const MEGABYTES = 120;

/** Everything that the demo leaves behind; the next demo begins by removing it. */
const directory = join(tmpdir(), "provision-demo");
const STACK = "demo";
const JOB = "shop";
const program = fileURLToPath(new URL("../index.ts", import.meta.url));

/** The stack's output for a job. */
interface JobOutput {
  readonly scheduled: string;
  readonly backups: readonly string[];
  readonly run: string;
  readonly list: string;
  readonly verify: string;
  readonly restore: string;
}

const account: [step: string, outcome: string, seconds: number][] = [];

/** Aborted by Ctrl-C and the like. A step that is going on may end; a command in it gets a signal to end at once. */
const interrupted = new AbortController();

/** Does a step, tells how long it took, and notes it for the account. */
async function step<T>(title: string, work: () => Promise<[outcome: string, result: T]>): Promise<T> {
  interrupted.signal.throwIfAborted();
  const begun = performance.now();
  console.log(`\n── ${title}`);
  const [outcome, result] = await work();
  const seconds = (performance.now() - begun) / 1000;
  account.push([title, outcome, seconds]);
  console.log(`   ${outcome} (${seconds.toFixed(1)} s)`);
  return result;
}

/** Runs one of the stack's commands as a person who copied it would. */
function shell(command: string): Promise<string> {
  console.log(`   $ ${command}`);
  return call({ program: "/bin/sh", args: ["-c", command], env: process.env, cwd: "/" });
}

async function call({ program, args, env, cwd }: Call): Promise<string> {
  const { signal } = interrupted;
  const child = spawn(program, args, { env, cwd, signal, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  print(output);
  if (code !== 0) throw new StepFailed(`The command ended with ${code}.`);
  return output;
}

function print(output: string): void {
  if (output !== "") console.log(output.trimEnd().replace(/^/gm, "   "));
}

async function query(url: string, text: string): Promise<Record<string, unknown>> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return ((await client.query(text)).rows[0] ?? {}) as Record<string, unknown>;
  } finally {
    await client.end();
  }
}

/** A step that came out wrong: its message says all that a person needs, so it is shown without a stack trace. */
class StepFailed extends Error {}

async function adviceOnDifferences(differences: readonly string[], source: string): Promise<string> {
  const { version } = await query(source, "SELECT version() AS version");
  return [
    tellDifferences(differences),
    "What to do: get the newest version of Provision and run the demo again, as your PostgreSQL may be newer than this version knows.",
    `If it still differs, report these lines together with this one: ${String(version)}`,
  ].join("\n");
}

/** The stack, as long as it has anything on this machine. */
let deployed: EngineStack | undefined;

async function demo(postgres: Postgres, engine: Engine): Promise<void> {
  const source = postgres.url("shop");
  await step("A real PostgreSQL with generated data", async () => {
    await createSampleDatabase(source, { megabytes: MEGABYTES });
    const { size, version } = await query(
      source,
      "SELECT pg_database_size(current_database())::float8 AS size, current_setting('server_version') AS version",
    );
    return [`PostgreSQL ${String(version)} with a database of ${bytes(Number(size))}`, undefined];
  });

  const identity = await generateX25519Identity();
  await writeFile(join(directory, "identity.txt"), `${identity}\n`, { mode: 0o600 });
  const stack = await engine.stack({
    stack: STACK,
    program,
    config: {
      target: "host",
      host: { directory },
      secrets: { shopDatabaseUrl: secret(source), backupKey: secret(identity) },
      jobs: [
        {
          name: JOB,
          schedule: { cron: "0 3 * * *", timezone: "UTC" },
          database: { kind: "postgres", url: { secret: "shopDatabaseUrl" } },
          destinations: [{ kind: "filesystem" }],
          encryption: { recipients: [await identityToRecipient(identity)], identity: { secret: "backupKey" } },
          retention: { last: 7, daily: 14, weekly: 8, monthly: 12 },
        },
      ],
    },
  });
  const job = await step("pulumi up", async () => {
    deployed = stack;
    const { summary } = await stack.up();
    const outputs = await stack.outputs();
    const output = ((outputs.jobs?.value ?? {}) as Record<string, JobOutput>)[JOB];
    if (!output) throw new StepFailed("The stack has no output for its job.");
    return [`${summary.create ?? 0} resources created; schedule: ${output.scheduled}`, output];
  });
  await step("What the schedule starts: backup, verification, prune", async () => {
    const due = await scheduledCall(job.scheduled, `provision.${STACK}.${JOB}`, job.run);
    console.log(`   ${job.scheduled}: ${due.program} ${due.args.join(" ")}`);
    await call(due);
    // Where what it prints goes when a crontab starts it.
    print(await readFile(join(directory, "logs", `${JOB}.log`), "utf8").catch(() => ""));
    const [listed] = JSON.parse(await shell(`${job.list} --json`)) as { backups: { state: string; size: number }[] }[];
    const [backup, ...more] = listed?.backups ?? [];
    if (backup?.state !== "verified" || more.length > 0) throw new StepFailed("The run made no verified backup.");
    return [`one backup of ${bytes(backup.size)}, encrypted and ${backup.state}`, undefined];
  });
  await step("List", async () => [(await shell(job.list)).split("\n")[1]?.trim() ?? "", undefined]);
  await step("Verify in full", async () => [(await shell(job.verify)).trim(), undefined]);
  const target = postgres.url("restored");
  await step("Restore into an empty database", async () => {
    await query(postgres.url("postgres"), "CREATE DATABASE restored TEMPLATE template0");
    await writeFile(join(directory, "target-url"), target, { mode: 0o600 });
    const lines = (await shell(job.restore)).trim().split("\n");
    return [lines[2]?.trim() ?? "", undefined];
  });
  await step("Compare schema and data, table by table", async () => {
    const { tables, differences } = await compareDatabases(source, target);
    if (differences.length > 0) throw new StepFailed(await adviceOnDifferences(differences, source));
    const rows = tables.reduce((sum, table) => sum + table.rows, 0);
    return [`${tables.length} tables with ${rows} rows are the same`, undefined];
  });
  await step("pulumi up again", async () => {
    await stack.preview({ expectNoChanges: true });
    const { summary } = await stack.up();
    const changed = Object.keys(summary).filter((operation) => operation !== "same");
    if (changed.length > 0) throw new StepFailed(`The second up changed something: ${JSON.stringify(summary)}`);
    return ["nothing changed", undefined];
  });
  await step("pulumi destroy", async () => {
    await stack.destroy();
    deployed = undefined;
    const kept = (await readdir(join(directory, "backups"), { recursive: true })).filter((name) =>
      name.endsWith("manifest.json"),
    );
    if (kept.length !== 1) throw new StepFailed("The backup did not outlive its stack.");
    return ["the schedule and the secrets are gone, the backup is still there", undefined];
  });

  console.log("\nWhat was done");
  for (const [title, outcome, seconds] of account)
    console.log(`  ${seconds.toFixed(1).padStart(6)} s  ${title}: ${outcome}`);
  console.log(`\nThe backup is in ${directory}/backups, its key in ${directory}/identity.txt; the database is gone.`);
  console.log(`Remove everything with: rm -r ${directory}`);
}

const say = (line: string) => {
  console.log(line);
};
for (const [name, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
  // A second one ends the demo as it stands.
  process.once(name, () => {
    say(`\n${name}: taking away what the demo has made; the step that is going on ends before …`);
    process.exitCode = 128 + number;
    interrupted.abort();
  });
}
const total = performance.now();
const cleanUp: (() => Promise<unknown>)[] = [];
try {
  await ensureSystemPrograms(await demoNeeds(), say);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { mode: 0o700 });
  const engine = await startEngine({ say });
  cleanUp.push(() => engine.stop());
  const postgres = await startPostgres();
  cleanUp.push(() => postgres.stop());
  cleanUp.push(async () => deployed?.destroy());
  await demo(postgres, engine);
  say(`Done in ${((performance.now() - total) / 1000).toFixed(0)} s.`);
} catch (error) {
  // After a signal, what failed failed for that.
  if (!interrupted.signal.aborted) {
    console.error(error instanceof StepFailed ? `\nThe demo failed. ${error.message}` : error);
    process.exitCode = 1;
  }
} finally {
  for (const work of cleanUp.reverse()) {
    await work().catch((error: unknown) => {
      console.error("Something of the demo could not be taken away:", error);
      process.exitCode ??= 1;
    });
  }
}
