import { basename, dirname, join, resolve } from "node:path";
import { JobConfig } from "../../providers/config.ts";
import { databaseProviders } from "../../providers/database/index.ts";
import { jobFolder } from "../../providers/layout.ts";
import { storageProviders } from "../../providers/storage/index.ts";
import type { Prompt } from "./init/prompt.ts";
import {
  askChecked,
  askField,
  askRest,
  checkDatabase,
  checkStore,
  refuseTaken,
  requireRight,
  writeIdentity,
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
  refuseTaken(Object.values(files), "Name another file: provision init FILE.");
  const stack = await askField(prompt, "stack", "Name of the stack: with the job's, the folder of its backups", "prod");
  const name = await askField(prompt, "name", "Name of the job", "app");
  const database = await askChecked(prompt, "database", databaseProviders, (described) =>
    checkDatabase(described, jobFolder({ stack, name }), signal),
  );
  const store = await askChecked(prompt, "store", storageProviders, (described) =>
    checkStore(described, { stack, name }, signal),
  );
  const { schedule, retention, key } = await askRest(prompt, database);
  const job = {
    stack,
    name,
    schedule,
    database: database.config,
    destinations: [store.config],
    ...(key && { encryption: { recipients: [key.recipient] } }),
    retention,
  };
  requireRight(JobConfig, job);
  await writeNew(files.secrets, asJson({ ...database.secrets, ...store.secrets }));
  if (key) await writeIdentity(files.identity, key);
  await writeNew(files.job, asJson(job));
  return { job: resolve(file), secrets: resolve(files.secrets), identity: key && resolve(files.identity) };
}

function asJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
