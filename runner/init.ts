import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { explain, JobConfig, Schedule } from "../providers/config.ts";
import type { Check } from "../providers/database/database.ts";
import { createDatabase, databaseProviders, DatabaseConfig, needsEncryption } from "../providers/database/index.ts";
import { ProviderError } from "../providers/errors.ts";
import { jobFolder } from "../providers/layout.ts";
import { createStorage, storageProviders, StorageConfig } from "../providers/storage/index.ts";
import { checkDestination } from "./doctor/check-destination.ts";
import { failed } from "./doctor/checks.ts";
import { readAnswer } from "./init/answer.ts";
import { askKind, type Described } from "./init/ask-kind.ts";
import type { Prompt } from "./init/prompt.ts";

/** What a person has been led to. */
export interface Prepared {
  readonly job: string;
  readonly secrets: string;
  /** The file with the private key, where the job encrypts. */
  readonly identity: string | undefined;
}

/** How many backups a new job keeps, unless a person says otherwise. */
const KEEPS = { daily: 7, weekly: 4, monthly: 12 } as const;

/**
 * Asks a person for a job, checks each answer at once, and writes the job's file, its secrets and its private key, each into a file
 * of its own beside it. Nothing is written before the last answer.
 *
 * @param file of the job, which must not exist
 * @throws ProviderError `CONFIG` where a file is there already; `ABORTED` where the questions were not answered
 */
export async function init(prompt: Prompt, file: string, signal: AbortSignal): Promise<Prepared> {
  const beside = (ending: string) => join(dirname(file), `${basename(file).replace(/\.json$/, "")}${ending}`);
  const files = { job: file, secrets: beside(".secrets.json"), identity: beside(".identity") };
  const taken = Object.values(files).find((each) => existsSync(each));
  if (taken !== undefined) {
    throw new ProviderError("CONFIG", `${taken} is there already, and is not overwritten.`, {
      fix: "Name another file: provision init FILE.",
    });
  }
  const stack = await askField(prompt, "stack", "Name of the stack: with the job's, the folder of its backups", "prod");
  const name = await askField(prompt, "name", "Name of the job", "app");
  const database = await askChecked(prompt, "database", databaseProviders, ({ config, byField }) =>
    checkDatabase({ config, byField }, jobFolder({ stack, name }), signal),
  );
  const store = await askChecked(prompt, "store", storageProviders, ({ config, byField }) =>
    checkStore({ config, byField }, { stack, name }, signal),
  );
  const schedule = await askSchedule(prompt);
  const retention = await askRetention(prompt);
  const why = needsEncryption(DatabaseConfig.parse(database.config));
  const encrypted =
    why !== undefined || (await prompt.confirm("Encrypt backups before they leave this machine", "yes"));
  const key = encrypted ? await newIdentity() : undefined;
  const job = {
    stack,
    name,
    schedule,
    database: database.config,
    destinations: [store.config],
    ...(key && { encryption: { recipients: [key.recipient] } }),
    retention,
  };
  requireRight(job);
  await writeNew(files.secrets, asJson({ ...database.secrets, ...store.secrets }));
  if (key) await writeNew(files.identity, `# public key: ${key.recipient}\n${key.identity}\n`);
  await writeNew(files.job, asJson(job));
  return { job: resolve(file), secrets: resolve(files.secrets), identity: key && resolve(files.identity) };
}

/** Asks for a provider until all that it checks is right, or the person keeps it as it is. */
async function askChecked(
  prompt: Prompt,
  what: string,
  kinds: Parameters<typeof askKind>[2],
  check: (described: Described) => AsyncGenerator<Check>,
): Promise<Described> {
  for (;;) {
    const described = await askKind(prompt, what, kinds);
    prompt.say(`Checking the ${what} …`);
    let isRight = true;
    for await (const { name, ok, detail, fix } of check(described)) {
      isRight &&= ok;
      if (!ok || fix !== undefined)
        prompt.say(`  ${ok ? "note" : "FAIL"}  ${name}: ${detail}${fix === undefined ? "" : ` Fix: ${fix}`}`);
    }
    if (isRight) prompt.say(`  The ${what} is ready.`);
    if (isRight || !(await prompt.confirm(`Describe the ${what} again`, "yes"))) return described;
  }
}

async function* checkDatabase(
  { config, byField }: Pick<Described, "config" | "byField">,
  lock: string,
  signal: AbortSignal,
): AsyncGenerator<Check> {
  yield* orFailed("database", async function* () {
    const database = await createDatabase(DatabaseConfig.parse(config), { secrets: byField });
    yield* database.check(signal, lock);
  });
}

async function* checkStore(
  { config, byField }: Pick<Described, "config" | "byField">,
  job: { readonly stack: string; readonly name: string },
  signal: AbortSignal,
): AsyncGenerator<Check> {
  yield* orFailed("store", async function* () {
    const parsed = StorageConfig.parse(config);
    const storage = await createStorage(parsed, { secrets: byField });
    try {
      yield* checkDestination(
        storage.description,
        storage,
        parsed,
        { ...job, objectives: undefined },
        undefined,
        signal,
      );
    } finally {
      await storage.close();
    }
  });
}

async function* orFailed(name: string, checks: () => AsyncGenerator<Check>): AsyncGenerator<Check> {
  try {
    yield* checks();
  } catch (error) {
    yield failed(name, error);
  }
}

/** Asks for a field of the job's own. */
function askField(prompt: Prompt, field: "stack" | "name", text: string, otherwise: string): Promise<string> {
  const read = (answer: string) => readAnswer(JobConfig.shape[field], answer, `${JSON.stringify(answer)}: `);
  return prompt.ask({ text, otherwise, read });
}

async function askSchedule(prompt: Prompt) {
  const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return prompt.ask({
    text: `When it runs, as the five fields of cron in ${timezone}: minute hour day month weekday`,
    otherwise: "0 3 * * *",
    read: (cron) => readAnswer(Schedule, { cron, timezone }),
  });
}

async function askRetention(prompt: Prompt): Promise<Record<string, number>> {
  const retention: Record<string, number> = {};
  for (const [period, count] of Object.entries(KEEPS)) {
    retention[period] = await prompt.ask({
      text: `How many ${period} backups to keep`,
      otherwise: String(count),
      read: (answer) => {
        if (/^\d{1,4}$/.test(answer) && Number(answer) >= 1) return Number(answer);
        throw new ProviderError("CONFIG", `${JSON.stringify(answer)} is no number from 1 to 9999.`, {
          fix: "Type one, like 7.",
        });
      },
    });
  }
  return retention;
}

async function newIdentity(): Promise<{ readonly identity: string; readonly recipient: string }> {
  const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

function requireRight(job: object): void {
  const parsed = JobConfig.safeParse(job);
  if (parsed.success) return;
  const details = explain(parsed.error, JobConfig, job).map(
    ({ path, message, fix }) => `  ${path}: ${message} Fix: ${fix}`,
  );
  throw new ProviderError("CONFIG", "The answers do not make a job:", { details });
}

/** Writes a file that does not exist yet, for this user alone. */
async function writeNew(file: string, content: string): Promise<void> {
  try {
    await writeFile(file, content, { mode: 0o600, flag: "wx" });
  } catch (error) {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    throw new ProviderError("CONFIG", `${file} cannot be written: ${code}.`, {
      cause: error,
      fix: "Name a file in a folder that you may write to.",
    });
  }
}

function asJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
