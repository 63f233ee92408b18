import { PassThrough, Readable } from "node:stream";
import type { DrillCheck, JobConfig } from "../../providers/config.ts";
import { countArtifactRows, databaseKind } from "../../providers/database/index.ts";
import type {
  DatabaseProvider,
  Reader,
  RestoreArtifact,
  ScratchDatabase,
  TableRows,
  RestoredTable,
} from "../../providers/database/database.ts";
import { ProviderError, toProviderError } from "../../providers/errors.ts";
import { backupKey, DRILL } from "../../providers/layout.ts";
import type { RunLog } from "../../providers/monitor/monitor.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { FileKeySource } from "../stream/age/decrypt.ts";
import type { JobName } from "../backups/catalogue/backup-folder.ts";
import { recordsBeside, readManifest } from "../backups/catalogue/catalogue.ts";
import { choose, placeOf, type Chosen } from "../backups/catalogue/choose-backup.ts";
import { runChecks, type CheckOutcome } from "./drill-checks.ts";
import { listable } from "../backups/documents/document-bounds.ts";
import {
  databaseObjects,
  type DrillRecord,
  type Manifest,
  type ManifestObject,
} from "../backups/documents/manifest.ts";
import { openConfirmed, prove, type ObjectSource } from "../backups/open-plain.ts";
import { recoveryTime, tooSlow } from "../backups/objectives.ts";
import { requireProven } from "../backups/documents/proof.ts";
import { PROGRAM } from "../version.ts";
import { recordName } from "../backups/documents/records.ts";
import { writePiece } from "../stream/write-piece.ts";
import { FlakyTransferError } from "../backups/second-read.ts";
import { Tally, type OnProgress } from "../backups/tally.ts";
import type { Telemetry } from "../run/telemetry.ts";
import { writeDocument } from "../backups/documents/write-document.ts";
import { counted, grouped } from "../../providers/fields/sizes.ts";

/** What differs between the manifest, the archive and what was restored, one sentence a table. */
function differences(
  manifest: readonly { readonly schema: string; readonly name: string; readonly estimatedRows?: number }[],
  archived: readonly TableRows[],
  restored: readonly RestoredTable[],
): string[] {
  const nameOf = ({ schema, name }: { schema: string; name: string }) => JSON.stringify([schema, name]);
  const inArchive = new Map(archived.map((table) => [nameOf(table), table]));
  const inDatabase = new Map(restored.map((table) => [nameOf(table), table]));
  const tables = new Map([...manifest, ...archived].map((table) => [nameOf(table), table]));
  const withoutRows = new Set(manifest.filter(({ estimatedRows }) => estimatedRows === -2).map(nameOf));
  return [...tables].flatMap(([key, { schema, name }]) => {
    const table = `The table ${schema}.${name}`;
    const [before, after] = [inArchive.get(key), inDatabase.get(key)];
    if (!after) return [`${table} was not restored.`];
    // What an extension fills by itself is no business of the backup; nor is what the job has backed up without rows.
    if (!before)
      return after.ofExtension || (withoutRows.has(key) && after.rows === 0)
        ? []
        : [`${table} has no data in the archive.`];
    const same = after.ofExtension ? after.rows >= before.rows : after.rows === before.rows;
    return same
      ? []
      : [
          `${table} has ${counted(before.rows, "row")} in the archive, and ${grouped(after.rows)} ${after.rows === 1 ? "was" : "were"} restored.`,
        ];
  });
}

/** What is drilled, and where. */
export interface DrillOptions {
  readonly storage: StorageProvider;
  readonly job: JobName;
  /** A backup's id, `latest`, `verified` (the newest that was read in full), or `random` (any that was). */
  readonly id: string;
  /** Whether a person has accepted that nothing proves it. Then nothing is recorded beside it. Default false. */
  readonly acceptUnproven?: boolean;
  /** The job's database, for what it says of the programs to use. */
  readonly source: Reader;
  /** On the server where the scratch database is made. */
  readonly target: DatabaseProvider;
  /** That server, for people. */
  readonly server: string;
  readonly identity: FileKeySource | undefined;
  /** Whether the pass that proves the stored bytes is left out: what is forged then acts before it is found out. */
  readonly trustStore: boolean;
  /** Questions to the restored database. Default: none. */
  readonly checks?: readonly DrillCheck[] | undefined;
  /** What the job promises. Default: nothing. */
  readonly objectives?: JobConfig["objectives"];
  readonly telemetry: Telemetry;
  readonly log: RunLog;
  readonly signal: AbortSignal;
}

/** What a drill found. */
export interface DrillReport extends Omit<DrillRecord, "format" | "program" | "after" | "more" | "seconds"> {
  /** The store that it was restored from. */
  readonly from: string;
  /** Server of the scratch database. */
  readonly server: string;
  /** Seconds of all of it. */
  readonly seconds: number;
  readonly steps: DrillRecord["seconds"];
  /** Whether the outcome could be recorded beside the backup. */
  readonly recorded: boolean;
  /** What was found of drills that were killed, and the like. */
  readonly warnings: readonly string[];
}

/**
 * Restores a backup into a scratch database, which it creates and drops, and compares the two table by table: the tables of
 * the manifest with those of the archive and those restored, and the rows of each in the archive with those restored.
 *
 * @throws ProviderError where it could not be done for a reason that says nothing of the backup: a server that cannot be
 * reached, a missing identity.
 */
export async function drill(options: DrillOptions): Promise<DrillReport> {
  const { storage, job, telemetry, signal } = options;
  const about = { destination: storage.description, provider: storage.kind };
  const track = (error: unknown, backup: string) => {
    telemetry.trackError(toProviderError(error), { step: "drill", backup, ...about });
  };
  let id = options.id;
  try {
    const report = await telemetry.measure("drill", about, async (span) => {
      const place = await placeOf(storage, job, options.id, signal);
      const chosen = choose(job, [place], options.id, options.acceptUnproven);
      ({ id } = chosen.backup);
      if (options.acceptUnproven !== true) requireProven(job, chosen.backup);
      span.set({ backup: id });
      const report = await drillBackup(options, chosen);
      span.set({ outcome: report.outcome, tables: report.tables, rows: report.rows });
      return report;
    });
    if (report.recoveryTime?.met === false) track(tooSlow(report.id, report.recoveryTime), report.id);
    const [problem, ...others] = report.problems;
    if (problem !== undefined) {
      const more = others.length === 0 ? "" : ` And ${others.length} more like this.`;
      track(new ProviderError("INTEGRITY", `The drill of ${report.id} failed. ${problem}${more}`), report.id);
    }
    return report;
  } catch (error) {
    track(error, id);
    throw error;
  }
}

async function drillBackup(choice: DrillOptions, chosen: Chosen): Promise<DrillReport> {
  const { job, notUsed, losses } = chosen;
  const { id } = chosen.backup;
  const options = { ...choice, job };
  const { storage, server, log, signal } = options;
  const begun = performance.now();
  const after = await recordsBeside(storage, job, id, signal);
  const manifest = await readManifest(storage, job, id, signal);
  refuseUndrillable(manifest);
  const warnings = [...notUsed, ...losses];
  let attempted = await attempt(options, manifest, warnings);
  // A transfer may have changed what arrived.
  if (attempted.failure && (options.trustStore || attempted.failure instanceof FlakyTransferError)) {
    const { message } = attempted.failure;
    const doubt = `It is restored again, for what arrived from ${storage.description} may have been damaged: ${message}`;
    log.write("warn", doubt, { backup: id });
    warnings.push(doubt);
    attempted = await attempt(options, manifest, warnings);
  }
  const { found, failure } = attempted;
  if (failure instanceof FlakyTransferError) throw failure;
  if (failure) found.problems.push(failure.message);
  const drilledAt = new Date();
  const time = recoveryTime(options.objectives, found.seconds?.restore);
  const facts = {
    id,
    drilledAt: drilledAt.toISOString(),
    outcome: found.problems.length > 0 ? DRILL.bad : DRILL.good,
    ...found,
    ...(time && { recoveryTime: time }),
  };
  const record = { format: 1, program: PROGRAM, ...facts, after, ...listable(facts.problems) } as const;
  // Nothing says that the folder will hold the same backup when the record is read.
  const mayRecord = chosen.backup.unproven === undefined;
  if (!mayRecord) warnings.push("Nothing was recorded, since nothing proves which backup this is.");
  const recorded = mayRecord && (await write(options, record, drilledAt));
  const { seconds: steps, ...shown } = facts;
  const seconds = secondsOf(performance.now() - begun);
  return { ...shown, steps, from: storage.description, server, seconds, recorded, warnings };
}

/** What came of restoring a backup once. */
interface Attempt {
  readonly found: Findings;
  /** Why it could not be restored, if it is the backup's fault, or its transfer's. */
  readonly failure: ProviderError | undefined;
}

async function attempt(options: DrillOptions, manifest: Manifest, warnings: string[]): Promise<Attempt> {
  const { target, log, signal } = options;
  const scratch = await target.createScratch({ facts: manifest.database, signal });
  const own = [...scratch.warnings];
  const found: Findings = { serverVersion: scratch.serverVersion, tables: 0, rows: 0, problems: [] };
  let failure: ProviderError | undefined;
  try {
    await compare(options, manifest, scratch, found, own);
  } catch (error) {
    if (signal.aborted || !(error instanceof FlakyTransferError || tellsOfBackup(error))) throw error;
    failure = error;
  } finally {
    await dropped(scratch, own);
    for (const warning of own) log.write("warn", warning, { backup: manifest.id });
    warnings.push(...own);
  }
  return { found, failure };
}

/** What no scratch database can hold. */
function refuseUndrillable({ id, objects, database }: Manifest): void {
  const refusal = databaseKind(database.kind).undrillable?.(objects.map(({ format }) => format));
  if (refusal) throw new ProviderError("CONFIG", `${id} ${refusal.reason}.`, { fix: refusal.fix });
  if (objects.some(({ database }) => database !== undefined)) {
    throw new ProviderError("CONFIG", `${id} holds several databases, and a drill restores one.`, {
      fix: "Restore each into an empty database: `provision restore --database <name> --to …`.",
    });
  }
}

/** What a comparison has found so far. */
interface Findings {
  readonly serverVersion: string;
  tables: number;
  rows: number;
  checks?: CheckOutcome[];
  seconds?: NonNullable<DrillRecord["seconds"]>;
  readonly problems: string[];
}

async function compare(
  options: DrillOptions,
  manifest: Manifest,
  scratch: ScratchDatabase,
  found: Findings,
  warnings: string[],
): Promise<void> {
  const { telemetry, signal } = options;
  const began = performance.now();
  const archived = await telemetry.measure("restore", { backup: manifest.id, database: scratch.name }, (span) =>
    restoreAndCount(options, manifest, scratch, warnings, (bytes, total) => {
      span.progress(bytes, total);
    }),
  );
  const restoredAt = performance.now();
  const restored = await telemetry.measure("compare", { backup: manifest.id, database: scratch.name }, () =>
    scratch.countRows(signal),
  );
  found.tables = restored.length;
  found.rows = restored.reduce((sum, { rows }) => sum + rows, 0);
  found.problems.push(...differences(manifest.database.tables, archived, restored));
  const comparedAt = performance.now();
  found.seconds = { restore: secondsOf(restoredAt - began), compare: secondsOf(comparedAt - restoredAt) };
  if (!options.checks) return;
  const { checks, problems } = await runChecks(scratch, options.checks, signal);
  found.checks = checks;
  found.seconds = { ...found.seconds, checks: secondsOf(performance.now() - comparedAt) };
  found.problems.push(...problems);
}

/** Proves what is stored, then restores the archive, and counts its rows while it streams. */
async function restoreAndCount(
  { storage, job, identity, source, trustStore, signal }: DrillOptions,
  manifest: Manifest,
  scratch: ScratchDatabase,
  warnings: string[],
  progress: OnProgress,
): Promise<TableRows[]> {
  const objects = databaseObjects(manifest);
  const size = objects.reduce((sum, { stored }) => sum + stored.size, 0);
  const tally = new Tally(trustStore ? size : 2 * size, progress);
  const sources = objects.map((object): ObjectSource => ({
    ...{ storage, key: backupKey(job, manifest.id, object.file), object, fileKey: identity },
    passed: tally.object(),
  }));
  if (!trustStore) await prove(sources, signal, (warning) => warnings.push(warning));
  const copies = new Map<string, { readonly bytes: PassThrough; readonly counting: Promise<TableRows[]> }>();
  const artifacts = sources.map((from): RestoreArtifact => {
    const { artifact: name, format, plain } = from.object as ManifestObject;
    const artifact = { name, format, clientVersion: manifest.database.clientVersion, size: plain.size };
    const passed = tally.object();
    return {
      ...artifact,
      open(abort) {
        const bytes = new PassThrough();
        const counting = countArtifactRows(source, artifact, bytes, signal);
        counting.catch(() => undefined);
        // An earlier reading was given up before its end.
        copies.get(name)?.bytes.destroy();
        copies.set(name, { bytes, counting });
        const plain = openConfirmed({ ...from, passed }, abort);
        return Readable.from(twice(plain, bytes, counting), { objectMode: false });
      },
    };
  });
  try {
    await scratch.restore(artifacts, manifest.database, signal);
    return (await Promise.all([...copies.values()].map(({ counting }) => counting))).flat();
  } finally {
    // The program that counts ends with the restore, however that ended.
    for (const { bytes } of copies.values()) bytes.destroy();
    await Promise.allSettled([...copies.values()].map(({ counting }) => counting));
  }
}

/**
 * Passes bytes on and writes them to a copy as well, at the pace of the slower of the two.
 *
 * @param reading the work that reads the copy: where it fails, this fails with its error
 */
async function* twice(source: Readable, copy: PassThrough, reading: Promise<unknown>): AsyncGenerator<Buffer, void> {
  copy.on("error", () => undefined);
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      // A copy that is closed early: how the reading ended says why.
      await writePiece(copy, chunk).catch(() => reading);
      yield chunk;
    }
    copy.end();
  } finally {
    // A caller that stops reading these bytes gives up the copy.
    if (!copy.writableEnded) copy.destroy();
  }
}

function secondsOf(ms: number): number {
  return Math.round(ms) / 1000;
}

/** Whether a failure to restore is the backup's, and not that of the network, of a missing right, or of a full disk. */
function tellsOfBackup(error: unknown): error is ProviderError {
  return error instanceof ProviderError && ["INTEGRITY", "CONFLICT", "INTERNAL"].includes(error.code);
}

async function dropped(scratch: ScratchDatabase, warnings: string[]): Promise<void> {
  try {
    await scratch.drop();
  } catch (error) {
    const { message } = toProviderError(error);
    warnings.push(`Could not drop the scratch database ${scratch.name}; a drill in a day tries again. ${message}`);
  }
}

/** Records the outcome beside the backup. A store that only lets itself be read keeps the drill from nothing. */
async function write(
  { storage, job, log, signal }: DrillOptions,
  record: DrillRecord,
  drilledAt: Date,
): Promise<boolean> {
  try {
    await writeDocument(
      { storage, job },
      backupKey(job, record.id, recordName(record.outcome, drilledAt)),
      record,
      signal,
    );
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    const { message, code } = toProviderError(error);
    log.write("warn", `The drill's outcome could not be recorded beside the backup: ${message}`, { code });
    return false;
  }
}
