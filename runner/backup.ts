import { compareClock } from "../providers/clock.ts";
import type { DatabaseArtifact, DatabaseBackup, DatabaseIdentity } from "../providers/database/database.ts";
import { ProviderError, toProviderError } from "../providers/errors.ts";
import type { FilesConfig } from "../providers/files/index.ts";
import { backupKey, FILE_INDEX, jobFolder, MANIFEST } from "../providers/layout.ts";
import type { Attributes, Span } from "../providers/monitor/monitor.ts";
import { RetryCounter } from "../providers/retry.ts";
import type { StorageProvider } from "../providers/storage/storage.ts";
import type { FileKeySource } from "./age/decrypt.ts";
import { newBackupId } from "./backup-id.ts";
import type { BackupFolder } from "./backup-folder.ts";
import { listBackups, newestFirst } from "./catalogue.ts";
import { formerDatabases } from "./database-identity.ts";
import { decisiveError } from "./decisive-error.ts";
import { dump } from "./dump.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { backupFiles, type FilesBackup, type FilesReport } from "./files/backup-files.ts";
import { fromFuture, futureError, isAhead } from "./future.ts";
import { Reconciliation } from "./files/reconciliation.ts";
import { requireManifestRoom } from "./backup/manifest-room.ts";
import type { Manifest, ManifestObject } from "./manifest.ts";
import { nextOrder } from "./order.ts";
import { PROGRAM } from "./version.ts";
import { beforeAnyRun, prune, type PruneReport } from "./prune.ts";
import { requireWhole } from "./backup/require-whole.ts";
import type { Run } from "./run.ts";
import type { Telemetry } from "./telemetry.ts";
import { verify, type Verification } from "./verify.ts";
import { writeDocument } from "./write-document.ts";

/** Milliseconds for looking for older backups at a run's end: it is over, and only tells. */
const LOOK_BACK_MS = 5_000;

/** What a person may leave out of a run. */
export interface BackupChoices {
  readonly verify: boolean;
  readonly prune: boolean;
  /** The database has moved: it is the one of the backups that are there, although it seems to be another. */
  readonly adopt: boolean;
}

/** How one destination fared. */
export interface DestinationReport {
  readonly destination: string;
  /** Whether it has the whole backup. */
  readonly stored: boolean;
  /** What was found there that needs a person, and kept nothing from being done, one sentence each. Left out where there is none. */
  readonly warnings?: readonly string[];
  /** Undefined where verification was left out or did not come to an end. */
  readonly verification?: Verification;
  readonly prune?: PruneReport;
  /** What went wrong, in the order in which it did. */
  readonly errors: readonly { readonly code: string; readonly message: string; readonly fix?: string }[];
}

/** What a run did. */
export interface BackupReport {
  readonly id: string;
  readonly status: "ok" | "partial" | "error";
  readonly exitCode: number;
  readonly seconds: number;
  readonly objects: readonly ManifestObject[];
  readonly omitted: Manifest["omitted"];
  /** What needs a person, and kept nothing from being done: that the server's clock is wrong. Left out where there is none. */
  readonly warnings?: readonly string[];
  /** Undefined for a job without files, and where they could not be copied at all: then {@link omitted} says why. */
  readonly files?: FilesReport;
  readonly destinations: readonly DestinationReport[];
}

/** A destination during a run. */
class Destination {
  readonly description: string;
  /** Its name and kind, for telemetry. */
  readonly facts: Attributes;
  readonly storage: StorageProvider | undefined;
  readonly errors: ProviderError[] = [];
  readonly warnings: ProviderError[] = [];
  stored = false;
  verification: Verification | undefined;
  prune: PruneReport | undefined;

  constructor(description: string, provider: string, storage: StorageProvider | undefined) {
    this.description = description;
    this.facts = { destination: description, provider };
    this.storage = storage;
  }

  report(): DestinationReport {
    return {
      destination: this.description,
      stored: this.stored,
      ...(this.warnings.length > 0 && { warnings: this.warnings.map(withFix) }),
      ...(this.verification ? { verification: this.verification } : {}),
      ...(this.prune ? { prune: this.prune } : {}),
      errors: this.errors.map(({ code, message, fix }) => ({ code, message, ...(fix === undefined ? {} : { fix }) })),
    };
  }
}

/** A backup that is being made. */
interface Begun {
  readonly id: string;
  readonly startedAt: Date;
  /** See {@link Manifest}. */
  order: number;
}

/** A destination that has taken everything so far. */
type Live = Destination & { readonly storage: StorageProvider };

/**
 * Makes a backup: dumps every artifact of one snapshot to all destinations at the same time, commits it with a manifest,
 * reads it back in full and prunes. A destination that fails is dropped and the others go on.
 *
 * @throws ProviderError if no destination got a backup: because of the database, the configuration, or all of them.
 */
export async function backup(run: Run, telemetry: Telemetry, choices: BackupChoices): Promise<BackupReport> {
  return new BackupRun(run, telemetry, choices).go();
}

class BackupRun {
  readonly #run: Run;
  readonly #telemetry: Telemetry;
  readonly #choices: BackupChoices;
  /** When the program was started, for how long the run took. */
  readonly #launchedAt = Date.now();
  readonly #objects: ManifestObject[] = [];
  readonly #omitted: Manifest["omitted"] = [];
  /** The keys of encrypted objects, which this run still holds: it can verify what it is not able to decrypt later. */
  readonly #fileKeys = new Map<string, FileKeySource>();
  /** The step in which an error arose. */
  readonly #origins = new WeakMap<Error, Attributes>();
  readonly #tracked = new WeakSet<Error>();
  readonly #warnings: string[] = [];
  #begun: Begun | undefined;
  #destinations: readonly Destination[] = [];
  #files: FilesBackup | undefined;
  /** Which databases the job backed up before its own moved. */
  #formerly: readonly DatabaseIdentity[] = [];

  constructor(run: Run, telemetry: Telemetry, choices: BackupChoices) {
    this.#run = run;
    this.#telemetry = telemetry;
    this.#choices = choices;
  }

  async go(): Promise<BackupReport> {
    this.#telemetry.checkIn("in_progress", {});
    try {
      const report = await this.#step("backup", {}, (span) => this.#make(span));
      this.#telemetry.checkIn(report.status, { ...facts(report), ...(await this.#ages()) });
      return report;
    } catch (error) {
      const failure = toProviderError(error);
      const ages = await this.#ages();
      const about = { ...this.#named(), seconds: this.#seconds(), code: failure.code };
      this.#telemetry.checkIn("error", { ...about, ...ages });
      throw failure;
    } finally {
      await Promise.allSettled(this.#destinations.map(async ({ storage }) => storage?.close()));
    }
  }

  async #make(span: Span): Promise<BackupReport> {
    try {
      await this.#openDestinations();
      const source = await this.#connect();
      try {
        this.#begin();
        span.set(this.#named());
        await this.#look(source.facts.identity);
        await this.#readDatabase(source);
        for (const destination of this.#live()) await this.#examine(destination);
      } finally {
        // Only now may another run begin: until here it could take this one's files for those of a run that was killed.
        await source.close();
      }
      const report = this.#report();
      span.set({ ...facts(report), status: report.status });
      return report;
    } catch (error) {
      const failure = toProviderError(error);
      this.#track(failure);
      throw failure;
    }
  }

  async #openDestinations(): Promise<void> {
    const { destinations } = this.#run.job;
    this.#destinations = await Promise.all(
      destinations.map(async ({ kind }, index) => {
        try {
          const storage = await this.#run.openDestination(index);
          return new Destination(storage.description, kind, storage);
        } catch (error) {
          const destination = new Destination(`${kind} (destination ${index})`, kind, undefined);
          this.#fail("open", destination, error);
          return destination;
        }
      }),
    );
    this.#requireLive();
  }

  /** Takes the job's lock and opens a snapshot of its database. */
  async #connect(): Promise<DatabaseBackup> {
    const { job, signal } = this.#run;
    return this.#step("connect", { provider: job.database.kind }, async (span) => {
      const database = await this.#run.openDatabase();
      span.set({ database: database.description });
      const asked = Date.now();
      const source = await database.backup({ lock: jobFolder(job), signal });
      this.#compareClock(source.facts.snapshotTime, asked);
      return source;
    });
  }

  /** Names the backup. With the lock held, whatever is older is of runs that are over. */
  #begin(): void {
    const startedAt = new Date();
    this.#begun = { startedAt, id: newBackupId(startedAt), order: startedAt.getTime() };
  }

  /**
   * Looks at what the destinations have already, before anything is dumped: it may be another database's. This backup comes
   * after all of it, whatever the clocks say.
   */
  async #look(identity: DatabaseIdentity): Promise<void> {
    const { job, signal } = this.#run;
    const begun = this.#now();
    const found = await Promise.all(
      this.#live().map(async (destination) => {
        try {
          const backups = await listBackups(destination.storage, job, signal);
          for (const { foreign, unproven } of backups) {
            const refused = foreign ?? unproven;
            if (refused) this.#warn(destination, refused);
          }
          for (const future of fromFuture(backups)) this.#warn(destination, futureError(future));
          begun.order = Math.max(begun.order, nextOrder(backups, begun.startedAt));
          return [{ description: destination.description, backups }];
        } catch (error) {
          const failure = toProviderError(error);
          // Some may write and not list.
          if (failure.code === "AUTH") this.#warn(destination, failure);
          else this.#fail("look", destination, failure);
          return [];
        }
      }),
    );
    this.#requireLive();
    this.#formerly = formerDatabases(job, identity, found.flat(), this.#choices.adopt);
  }

  async #readDatabase(source: DatabaseBackup): Promise<void> {
    const { job } = this.#run;
    requireManifestRoom(source);
    for (const { artifact, reason } of source.omitted) this.#omit(artifact, reason);
    for (const artifact of source.artifacts) await this.#dump(artifact);
    const rows = job.files && source.storedFiles?.(job.files.buckets);
    const reconciliation = rows && (await Reconciliation.of(rows, source.facts.snapshotTime));
    await this.#endSnapshot(source);
    if (job.files) await this.#copyFiles(job.files, reconciliation);
    for (const destination of this.#live()) await this.#commit(destination, source.facts);
    this.#requireLive();
  }

  /** What is still to be done takes long and reads nothing of the snapshot. */
  async #endSnapshot(source: DatabaseBackup): Promise<void> {
    try {
      await source.endSnapshot();
    } catch (error) {
      if (this.#run.signal.aborted) throw error;
      // The dump is whole, and what another run could take of it is looked for before the backup counts.
      const message = `The connection that holds the job's lock has broken: ${toProviderError(error).message}`;
      this.#run.log.write("warn", message, this.#named());
    }
  }

  async #dump(artifact: DatabaseArtifact): Promise<void> {
    const { job, signal } = this.#run;
    const { id } = this.#now();
    const live = this.#live();
    const stores = live.map(({ storage }) => storage);
    // Three quarters: the stalled store is dropped before the others' own watchdogs blame the silence on their source.
    const patienceMs = Math.min(...job.destinations.map((config) => config.stallTimeoutSeconds)) * 750;
    try {
      const about = { artifact: artifact.name, provider: job.database.kind };
      await this.#step("dump", about, async (span) => {
        const { object, fileKey, failures } = await dump(artifact, stores, (file) => backupKey(job, id, file), {
          level: job.compression.level,
          recipients: job.encryption?.recipients ?? [],
          patienceMs,
          signal,
          progress: (bytes) => {
            span.progress(bytes);
          },
          measureUpload: (index, upload) =>
            this.#step("store", { artifact: artifact.name, ...live[index]?.facts }, async (store) => {
              const requests = new RetryCounter();
              try {
                const stored = await requests.run(upload);
                store.set({ bytes: stored.size, objects: 1 });
                return stored;
              } finally {
                store.set({ retries: requests.count });
              }
            }),
        });
        if (object) span.set({ bytes: object.plain.size, storedBytes: object.stored.size, objects: 1 });
        for (const [index, destination] of live.entries()) {
          const failure = failures[index];
          if (failure) this.#fail("store", destination, failure);
        }
        if (object) this.#objects.push(object);
        if (object && fileKey) this.#fileKeys.set(object.file, fileKey);
      });
    } catch (error) {
      if (artifact.required || signal.aborted) throw error;
      this.#omit(artifact.name, toProviderError(error).message);
    }
    this.#requireLive();
  }

  /** Files that cannot be copied do not unmake the backup of the database; the run ends as partial. */
  async #copyFiles(config: FilesConfig, reconciliation: Reconciliation | undefined): Promise<void> {
    const live = this.#live();
    try {
      await this.#step("files", { provider: config.kind }, async (span) => {
        const files = await backupFiles({
          run: this.#run,
          config,
          id: this.#now().id,
          verifies: this.#verifies,
          reconciliation,
          stores: () => this.#live().map(({ storage }) => storage),
          dropStore: (storage, error) => {
            const destination = live.find((candidate) => candidate.storage === storage);
            if (destination?.errors.length === 0) this.#fail("store", destination, error);
          },
          progress: (bytes) => {
            span.progress(bytes);
          },
        });
        this.#files = files;
        for (const [object, fileKey] of files.fileKeys) this.#fileKeys.set(object, fileKey);
        span.set({ bytes: files.report.copiedBytes, objects: files.report.copied });
        for (const { bucket, path, ...error } of files.report.leftOut) {
          const about = path === undefined ? `the bucket ${bucket}` : `${bucket}/${path}`;
          const where = error.destination === undefined ? "The backup" : `The backup in ${error.destination}`;
          this.#run.log.write("error", `${where} goes without ${about}: ${error.message}`, { bucket });
        }
        const { missing = [], orphaned = [] } = files.report.differences ?? {};
        for (const [places, what, why] of [
          [missing, "are in the database and not in Storage", "They were removed since its snapshot, or are lost."],
          [
            orphaned,
            "are listed by Storage and not in the database",
            "Is it the database of this Storage? Else they came while the snapshot was taken.",
          ],
        ] as const) {
          if (places.length === 0) continue;
          this.#run.log.write("warn", `${places.length} files ${what}, such as ${places[0] ?? ""}. ${why}`, {});
        }
        const { length } = files.report.leftOut;
        if (length > 0) this.#track(new ProviderError("INTERNAL", `${length} files or buckets could not be copied.`));
      });
    } catch (error) {
      if (this.#run.signal.aborted) throw error;
      this.#requireLive();
      const failure = toProviderError(error);
      this.#track(failure, { step: "files" });
      this.#omitted.push({ artifact: FILE_INDEX.name, reason: failure.message });
      this.#run.log.write("error", `The backup goes without files: ${failure.message}`, {});
    }
    this.#requireLive();
  }

  #omit(artifact: string, reason: string): void {
    this.#omitted.push({ artifact, reason });
    this.#run.log.write("warn", `The backup goes without ${artifact}: ${reason}`, { artifact });
  }

  async #commit(
    destination: Live,
    { snapshotTime, tables, roles, ...database }: DatabaseBackup["facts"],
  ): Promise<void> {
    const { job, signal } = this.#run;
    const { id, startedAt, order } = this.#now();
    const files = this.#files?.stored.get(destination.storage);
    const manifest: Manifest = {
      format: 1,
      id,
      stack: job.stack,
      job: job.name,
      program: PROGRAM,
      startedAt: startedAt.toISOString(),
      finishedAt: new Date().toISOString(),
      order,
      database: {
        kind: job.database.kind,
        ...database,
        ...(this.#formerly.length > 0 && { formerly: [...this.#formerly] }),
        snapshotTime: snapshotTime.toISOString(),
        tables: [...tables],
        roles: [...roles],
      },
      objects: this.#objectsIn(destination),
      ...(files ? { files: files.manifest } : {}),
      omitted: this.#omitted,
      recipients: job.encryption?.recipients ?? [],
    };
    try {
      await this.#step("commit", destination.facts, async () => {
        const objects = this.#objectsIn(destination);
        await requireWhole({ storage: destination.storage, job, id, objects, signal });
        const asked = Date.now();
        const { storeTime } = await writeDocument(
          { storage: destination.storage, job },
          backupKey(job, id, MANIFEST),
          manifest,
          signal,
        );
        this.#compareClock(storeTime, asked, destination);
      });
      destination.stored = true;
    } catch (error) {
      this.#fail("commit", destination, error);
    }
  }

  /** Reads the backup back and prunes; a failure here does not unmake the backup. */
  async #examine(destination: Live): Promise<void> {
    if (!this.#verifies) return;
    const { job, signal } = this.#run;
    const { storage } = destination;
    const { id, startedAt } = this.#now();
    const common = { storage, job, signal };
    try {
      destination.verification = await this.#step("verify", destination.facts, (span) => {
        const objects = this.#objectsIn(destination);
        span.set({ bytes: storedBytes(objects), objects: objects.length });
        return verify({
          ...common,
          programs: job.database,
          id,
          fileKeyOf: (file) => this.#fileKeys.get(file),
          // What an earlier run copied was read when it was verified; this run has seen that it is still there.
          skipContent: (object) => this.#files?.reused.has(object) ?? false,
        });
      });
      for (const warning of destination.verification.warnings ?? []) {
        this.#run.log.write("warn", warning, this.#named());
      }
      for (const problem of destination.verification.problems) {
        this.#fail("verify", destination, new ProviderError("INTEGRITY", problem));
      }
      if (!this.#choices.prune || destination.verification.outcome !== "verified") return;
      // Whoever began before this run held the lock before it, and so is gone.
      destination.prune = await this.#step("prune", destination.facts, async (span) => {
        const report = await prune({
          ...common,
          rule: job.retention,
          made: id,
          unfinishedBefore: startedAt,
          // A copy holds no lock.
          copiesBefore: beforeAnyRun(job),
          dryRun: false,
        });
        for (const warning of report.warnings ?? []) this.#warn(destination, new ProviderError("INTEGRITY", warning));
        span.set({ removed: report.removed.length + report.unfinished.length, kept: report.kept });
        return report;
      });
    } catch (error) {
      this.#fail("examine", destination, error);
    }
  }

  /** The objects of the backup, as a destination has them; undefined for the first that has the files. */
  #objectsIn(destination?: Live): ManifestObject[] {
    const { stored } = this.#files ?? {};
    const files = destination ? stored?.get(destination.storage) : stored?.values().next().value;
    return [...this.#objects, ...(files ? [files.index] : [])];
  }

  get #verifies(): boolean {
    return this.#choices.verify && this.#run.job.verify;
  }

  #live(): Live[] {
    return this.#destinations.filter(
      (destination): destination is Live =>
        destination.storage !== undefined && (destination.stored || destination.errors.length === 0),
    );
  }

  #requireLive(): void {
    const decisive = decisiveError(this.#destinations.flatMap(({ errors }) => errors.slice(0, 1)));
    if (this.#live().length === 0 && decisive) throw decisive;
  }

  /** Notes a failure. A destination that does not have the whole backup yet gets nothing more. */
  #fail(step: string, destination: Destination, error: unknown): void {
    const failure = toProviderError(error);
    destination.errors.push(failure);
    this.#track(failure, { step, ...destination.facts });
  }

  /**
   * Compares a clock with this machine's, whose difference keeps the backup from nothing.
   *
   * @param asked when it was asked, by this machine's own; it has answered by now
   * @param destination whose clock it is; left out for the server's
   */
  #compareClock(said: Date | undefined, asked: number, destination?: Live): void {
    if (said === undefined) return;
    const which = destination ? "The store's clock" : "The server's clock";
    const { detail, fix } = compareClock(which, said, asked, Date.now());
    if (fix === undefined) return;
    const warning = new ProviderError("CONFIG", `${detail}.`, { fix });
    if (destination) {
      this.#warn(destination, warning);
    } else {
      this.#warnings.push(withFix(warning));
      this.#run.log.write("warn", withFix(warning), this.#named());
    }
  }

  /** Tells of something that keeps the backup from nothing. */
  #warn(destination: Live, warning: ProviderError): void {
    destination.warnings.push(warning);
    this.#run.log.write("warn", `${destination.description}: ${withFix(warning)}`, this.#named());
    this.#track(warning, destination.facts);
  }

  /** Measures a step. An error that it throws is known to come from there. */
  async #step<T>(name: string, about: Attributes, work: (span: Span) => Promise<T>): Promise<T> {
    return this.#telemetry.measure(name, about, async (span) => {
      try {
        return await work(span);
      } catch (error) {
        const failure = toProviderError(error);
        if (!this.#origins.has(failure)) this.#origins.set(failure, { step: name, ...about });
        throw failure;
      }
    });
  }

  /** Reports an error once: what every destination failed at, or the last of them, is also what the run fails at. */
  #track(failure: ProviderError, about: Attributes = {}): void {
    if (this.#tracked.has(failure)) return;
    this.#tracked.add(failure);
    this.#telemetry.trackError(failure, { ...this.#named(), ...about, ...this.#origins.get(failure) });
  }

  /**
   * The ages of the job's newest verified backup and, where it has drills, of its newest drilled one. The stores are asked
   * for what this run does not know; one that does not answer says nothing, and neither does a run that was told to end.
   */
  async #ages(): Promise<Attributes> {
    const { job, signal } = this.#run;
    const verifiedNow = this.#destinations.some(({ verification }) => verification?.outcome === "verified");
    const known = verifiedNow ? { newestVerifiedSeconds: this.#seconds() } : {};
    if (signal.aborted || (verifiedNow && !job.drill)) return known;
    const limit = AbortSignal.timeout(LOOK_BACK_MS);
    const late = new Promise<void>((resolve) => {
      limit.addEventListener("abort", () => {
        resolve();
      });
    });
    const now = new Date();
    const backups: BackupFolder[] = [];
    const looks = this.#destinations.map(async ({ storage }) => {
      let [verified, drilled] = [false, job.drill === undefined];
      for await (const backup of storage ? newestFirst(storage, job, limit) : []) {
        // One from the future says nothing of how old the newest is.
        if (isAhead(backup.time, now)) continue;
        backups.push(backup);
        verified ||= backup.state === "verified";
        drilled ||= backup.drill?.outcome === "drilled";
        if (verified && drilled) return;
      }
    });
    await Promise.race([Promise.allSettled(looks), late]);
    const drilled = backups.filter(({ drill }) => drill?.outcome === "drilled");
    return {
      ...ageOfNewest(
        "newestVerifiedSeconds",
        backups.filter(({ state }) => state === "verified"),
      ),
      ...ageOfNewest("newestDrilledSeconds", drilled),
      ...known,
    };
  }

  /** The backup that is being made. */
  #now(): Begun {
    if (this.#begun === undefined) throw new RangeError("no backup was begun");
    return this.#begun;
  }

  /** The backup's id, for telemetry, once there is one. */
  #named(): Attributes {
    return this.#begun === undefined ? {} : { backup: this.#begun.id };
  }

  #seconds(): number {
    return (Date.now() - this.#launchedAt) / 1000;
  }

  #report(): BackupReport {
    return {
      id: this.#now().id,
      status: this.#isPartial() ? "partial" : "ok",
      exitCode: this.#exitCode(),
      seconds: this.#seconds(),
      objects: this.#objectsIn(),
      omitted: this.#omitted,
      ...(this.#warnings.length > 0 && { warnings: this.#warnings }),
      ...(this.#files ? { files: this.#files.report } : {}),
      destinations: this.#destinations.map((destination) => destination.report()),
    };
  }

  #exitCode(): number {
    if (this.#run.signal.aborted) return exitCodeOf(this.#run.signal.reason, EXIT.partial);
    if (this.#destinations.some(({ verification }) => verification?.outcome === "damaged")) return EXIT.verification;
    return this.#isPartial() ? EXIT.partial : EXIT.done;
  }

  #isPartial(): boolean {
    if (this.#destinations.some(({ errors }) => errors.length > 0)) return true;
    if (this.#run.job.files === undefined) return false;
    return this.#files === undefined || this.#files.report.leftOut.length > 0;
  }
}

function withFix({ message, fix }: ProviderError): string {
  return fix === undefined ? message : `${message} Fix: ${fix}`;
}

function ageOfNewest(name: string, backups: readonly BackupFolder[]): Attributes {
  if (backups.length === 0) return {};
  const newest = Math.max(...backups.map(({ time }) => time.getTime()));
  return { [name]: Math.round((Date.now() - newest) / 1000) };
}

function storedBytes(objects: readonly ManifestObject[]): number {
  return objects.reduce((sum, { stored }) => sum + stored.size, 0);
}

function facts(report: BackupReport): Attributes {
  return {
    backup: report.id,
    seconds: report.seconds,
    bytes: report.objects.reduce((sum, { plain }) => sum + plain.size, 0),
    storedBytes: storedBytes(report.objects),
    destinations: report.destinations.filter(({ stored }) => stored).length,
    failedDestinations: report.destinations.filter(({ errors }) => errors.length > 0).length,
  };
}
