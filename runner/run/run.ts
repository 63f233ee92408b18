import { jobSecrets, type JobConfig } from "../../providers/config.ts";
import {
  createDatabase,
  databaseProviders,
  drillConfig,
  forDrills,
  startDrillServer,
  type DatabaseConfig,
  type DrillTarget,
} from "../../providers/database/index.ts";
import type { DatabaseProvider } from "../../providers/database/database.ts";
import { alwaysOn, createMonitor, monitorProviders, type MonitorConfig } from "../../providers/monitor/index.ts";
import type { FilesProvider } from "../../providers/files/files.ts";
import { createFiles, filesProviders, type FilesConfig } from "../../providers/files/index.ts";
import type { RunLog, TelemetryProvider } from "../../providers/monitor/monitor.ts";
import { SECRETS_FILE_VARIABLE } from "../../providers/environment.ts";
import { referencesIn } from "../../providers/fields/secret-ref.ts";
import type { SecretRef } from "../../providers/fields/secret-ref.ts";
import { createStorage, storageProviders } from "../../providers/storage/index.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { FileKeySource } from "../stream/age/decrypt.ts";
import type { JobName } from "../backups/catalogue/backup-folder.ts";
import type { Redactor } from "./redact.ts";
import { leaveMark, requireMark } from "./store-mark.ts";
import { resolveSecret } from "./secrets.ts";
import { SigningKeys } from "../backups/documents/signing.ts";
import { PROGRAM } from "../version.ts";
import { combineMonitors, type Telemetry } from "./telemetry.ts";
import { Progress } from "./watch/progress.ts";

/** A job with the keys that its configuration refers to. */
export type Job = JobConfig & Pick<JobName, "keys">;

/** What a {@link Run} is made of. */
interface RunParts {
  readonly job: JobConfig;
  /** The job's file. Left out where the job is from elsewhere: then nothing beside it tells which stores have their mark. */
  readonly file?: string | undefined;
  readonly log: RunLog;
  readonly signal: AbortSignal;
  readonly redactor: Redactor;
  readonly environment: NodeJS.ProcessEnv;
  /** The log of the run. */
  readonly progress?: Progress;
}

/** Where a run gets its secrets from, and how it makes its providers. */
export class Run {
  readonly job: Job;
  readonly log: RunLog;
  /** Ends the run: a signal of the operating system, or the job's time limit. */
  readonly signal: AbortSignal;
  readonly #file: string | undefined;
  readonly #redactor: Redactor;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #progress: Progress;

  constructor(parts: RunParts & { readonly job: Job }) {
    this.job = parts.job;
    this.#file = parts.file;
    this.log = parts.log;
    this.signal = parts.signal;
    this.#redactor = parts.redactor;
    for (const text of [parts.job.stack, parts.job.name]) parts.redactor.publish(text);
    this.#environment = parts.environment;
    this.#progress = parts.progress ?? new Progress();
  }

  /** A run on a job, with its keys. `CONFIG` where one is missing, or is none. */
  static async open(parts: RunParts): Promise<Run> {
    const run = new Run(parts);
    const { signing } = parts.job;
    if (signing === undefined) return run;
    const { key, formerKeys = [], since } = signing;
    const former = formerKeys.map((ref, index) => run.secret(ref, `signing.formerKeys[${index}]`));
    const keys = new SigningKeys(
      await run.secret(key, "signing.key"),
      await Promise.all(former),
      since === undefined ? undefined : new Date(since),
    );
    return run.#on({ ...parts.job, keys });
  }

  /** The same run on another job, of another file: its log, its signal and its secrets. */
  forJob(job: JobConfig, file?: string): Promise<Run> {
    return Run.open(this.#parts(job, file));
  }

  #on(job: Job): Run {
    return new Run(this.#parts(job, this.#file));
  }

  #parts<Kind extends JobConfig>(job: Kind, file: string | undefined) {
    const { log, signal } = this;
    const progress = this.#progress;
    return { job, file, log, signal, redactor: this.#redactor, environment: this.#environment, progress };
  }

  /** The value of a reference; from now on the log knows it as a secret. */
  async secret(ref: SecretRef, at: string): Promise<string> {
    const value = await resolveSecret(ref, at, this.#environment);
    this.#redactor.add(value);
    return value;
  }

  /** The files that the job's secrets are read from, each once. */
  get secretFiles(): string[] {
    const all = jobSecrets(this.job).flatMap(({ ref }) =>
      "file" in ref ? ref.file : "secret" in ref ? (this.#environment[SECRETS_FILE_VARIABLE] ?? []) : [],
    );
    return [...new Set(all)];
  }

  /** What is written elsewhere than to the log and the output, without the secrets that are known. */
  withoutSecrets<Value>(value: Value): Value {
    return this.#redactor.redactAll(value);
  }

  /** The job's database, or another one to restore into. */
  async openDatabase(config: DatabaseConfig = this.job.database, at = "database"): Promise<DatabaseProvider> {
    return createDatabase(config, { secrets: await this.#secrets(config, databaseProviders[config.kind].secrets, at) });
  }

  /** The server of the job's drills, or one that is started for as long as it is open. */
  async openDrillTarget(): Promise<DrillTarget> {
    const { drill = {}, database } = this.job;
    const { acceptSharedUser } = drill;
    const config = drillConfig(database, drill);
    if (config === undefined || drill.target === undefined)
      return startDrillServer(database, { acceptSharedUser }, this.signal);
    const target = await createDatabase(config, { secrets: { url: await this.secret(drill.target, "drill.target") } });
    const named = forDrills(target, { acceptSharedUser });
    return { database: named, server: `the server of the ${target.description}`, close: () => Promise.resolve() };
  }

  /**
   * One of the job's destinations, by its place in the configuration.
   *
   * @param mark whether it gets its mark, for a backup that will be kept there; see {@link leaveMark}
   * @throws ProviderError `CONFIG` where it is a folder whose share is not mounted
   */
  async openDestination(index: number, mark = false): Promise<StorageProvider> {
    const config = this.job.destinations[index];
    if (!config) throw new RangeError(`the job has no destination ${index}`);
    const fields = storageProviders[config.kind].secrets;
    const secrets = await this.#secrets(config, fields, `destinations[${index}]`);
    const storage = await createStorage(config, { secrets });
    try {
      const store = { storage, config, jobFile: this.#file };
      await requireMark(store);
      if (mark) await leaveMark(store, this.signal);
    } catch (error) {
      await storage.close();
      throw error;
    }
    return storage;
  }

  /** The source of the job's files, or another place to restore them to. */
  async openFiles(config: FilesConfig, at = "files"): Promise<FilesProvider> {
    return createFiles(config, { secrets: await this.#secrets(config, filesProviders[config.kind].secrets, at) });
  }

  /** The log and the job's monitors as one. */
  async openTelemetry(): Promise<Telemetry> {
    const { job, log } = this;
    const monitors = await Promise.all(
      job.monitor.map((config, index) => this.openMonitor(config, `monitor[${index}]`)),
    );
    const always = await Promise.all(alwaysOn(job.monitor).map((config) => this.openMonitor(config, config.kind)));
    return this.#progress.observe(combineMonitors([...always, ...monitors], log));
  }

  /** A monitor of the job. */
  async openMonitor(config: MonitorConfig, at: string): Promise<TelemetryProvider> {
    const { stack, name, schedule, timeoutMinutes } = this.job;
    return createMonitor(config, {
      secrets: await this.#secrets(config, monitorProviders[config.kind].secrets, at),
      job: { stack, name, timeoutMinutes, release: `provision@${PROGRAM}`, ...(schedule ? { schedule } : {}) },
      log: this.log,
      redact: (text) => this.#redactor.redact(text),
    });
  }

  /** What unwraps the keys of encrypted backups: the job's identity, or another reference; undefined without either. */
  async openIdentity(ref = this.job.encryption?.identity): Promise<FileKeySource | undefined> {
    if (ref === undefined) return undefined;
    const { withIdentity } = await import("../stream/age/identity.ts");
    return withIdentity(await this.secret(ref, "encryption.identity"));
  }

  async #secrets(config: object, fields: readonly string[], at: string): Promise<Record<string, string>> {
    const values = referencesIn(config, fields).map(
      async ([field, ref]) => [field, await this.secret(ref, `${at}.${field}`)] as const,
    );
    return Object.fromEntries(await Promise.all(values));
  }
}
