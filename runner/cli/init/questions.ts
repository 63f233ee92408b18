import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { z } from "zod";
import { explain, JobConfig, Schedule } from "../../../providers/config.ts";
import type { Check } from "../../../providers/database/database.ts";
import { createDatabase, DatabaseConfig, needsEncryption } from "../../../providers/database/index.ts";
import { ProviderError, withFix } from "../../../providers/errors.ts";
import { createStorage, StorageConfig } from "../../../providers/storage/index.ts";
import { checkDestination } from "../../operations/doctor/check-destination.ts";
import { failed } from "../../operations/doctor/checks.ts";
import { readAnswer } from "./answer.ts";
import { askKind, type Described } from "./ask-kind.ts";
import type { Prompt } from "./prompt.ts";

/** How many backups a new job keeps, unless a person says otherwise. */
const KEEPS = { daily: 7, weekly: 4, monthly: 12 } as const;

/** A key pair of age. */
interface Identity {
  readonly identity: string;
  readonly recipient: string;
}

/** What a job says beside its database and its store. */
interface Rest {
  readonly schedule: z.output<typeof Schedule>;
  readonly retention: Readonly<Record<string, number>>;
  /** A new key; undefined for backups that are not encrypted. */
  readonly key: Identity | undefined;
}

/**
 * Refuses to overwrite anything.
 *
 * @throws ProviderError `CONFIG` where one of the files is there already
 */
export function refuseTaken(files: readonly string[], fix: string): void {
  const taken = files.find((each) => existsSync(each));
  if (taken !== undefined)
    throw new ProviderError("CONFIG", `${taken} is there already, and is not overwritten.`, { fix });
}

/** Asks for everything but the database and the store. */
export async function askRest(prompt: Prompt, database: Described): Promise<Rest> {
  const schedule = await askSchedule(prompt);
  const retention = await askRetention(prompt);
  const needed = needsEncryption(DatabaseConfig.parse(database.config)) !== undefined;
  const encrypted = needed || (await prompt.confirm("Encrypt backups before they leave this machine", "yes"));
  return { schedule, retention, key: encrypted ? await newIdentity() : undefined };
}

/** Asks for a provider until all that it checks is right, or the person keeps it as it is. */
export async function askChecked(
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
        prompt.say(`  ${ok ? "note" : "FAIL"}  ${name}: ${withFix({ message: detail, fix })}`);
    }
    if (isRight) prompt.say(`  The ${what} is ready.`);
    if (isRight || !(await prompt.confirm(`Describe the ${what} again`, "yes"))) return described;
  }
}

/** Connects to a database as it was described, and checks what a run needs of it. */
export async function* checkDatabase(
  { config, byField }: Pick<Described, "config" | "byField">,
  lock: string,
  signal: AbortSignal,
): AsyncGenerator<Check> {
  yield* orFailed("database", async function* () {
    const database = await createDatabase(DatabaseConfig.parse(config), { secrets: byField });
    yield* database.check(signal, lock);
  });
}

/** Writes, reads, lists and removes a small object in a store as it was described. */
export async function* checkStore(
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
export function askField(prompt: Prompt, field: "stack" | "name", text: string, otherwise: string): Promise<string> {
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

async function newIdentity(): Promise<Identity> {
  const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/**
 * Refuses answers that are no job together.
 *
 * @throws ProviderError `CONFIG` with everything that the schema finds
 */
export function requireRight(schema: z.ZodType, job: object): void {
  const parsed = schema.safeParse(job);
  if (parsed.success) return;
  const details = explain(parsed.error, schema, job).map(
    ({ path, message, fix }) => `  ${path}: ${message} Fix: ${fix}`,
  );
  throw new ProviderError("CONFIG", "The answers do not make a job:", { details });
}

/** Writes a file that does not exist yet, for this user alone. */
export async function writeNew(file: string, content: string): Promise<void> {
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

/** Writes a private key into a file of its own. */
export function writeIdentity(file: string, { identity, recipient }: Identity): Promise<void> {
  return writeNew(file, `# public key: ${recipient}\n${identity}\n`);
}
