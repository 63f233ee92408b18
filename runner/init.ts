import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { databaseProviders, DatabaseConfig, needsEncryption } from "../providers/database/index.ts";
import { ProviderError } from "../providers/errors.ts";
import { jobFolder } from "../providers/layout.ts";
import { storageProviders } from "../providers/storage/index.ts";
import type { Prompt } from "./init/prompt.ts";
import {
  asJson,
  askChecked,
  askField,
  askRetention,
  askSchedule,
  checkDatabase,
  checkStore,
  newIdentity,
  requireRight,
  writeNew,
} from "./init/questions.ts";

/** What a person has been led to. */
export interface Prepared {
  readonly job: string;
  readonly secrets: string;
  /** The file with the private key, where the job encrypts. */
  readonly identity: string | undefined;
}

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
