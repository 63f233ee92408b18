import type { Readable } from "node:stream";
import type { z } from "zod";
import type { ProviderContext, ProviderDefinition } from "../definition.ts";
import type { ProviderError } from "../errors.ts";
import type { SecretRef } from "../fields/secret-ref.ts";

/**
 * What a restore does with an artifact: `archive` holds a database's definitions and rows, and is always read; `roles` are read
 * where roles are to be created; `extra` may be left unread.
 */
export type ArtifactUse = "archive" | "roles" | "extra";

/** One artifact of a backup, read once. */
export interface DatabaseArtifact {
  /** File name without the endings of compression and encryption, for instance `database.dump`. */
  readonly name: string;
  /** One of the kind's {@link DatabaseDefinition.formats}. */
  readonly format: string;
  /** One that is not required may fail: the backup then leaves it out, and its manifest says so. */
  readonly required: boolean;
  /** Which of several databases it holds; without it, it belongs to the only one or to the server. */
  readonly database?: string;
  /** What it covers, for people who want to know whether something is in their backup: `12 policies on tables of auth`. */
  readonly covers: readonly string[];
  /** A guess at the size in bytes, for stores that must choose a part size. */
  readonly sizeEstimate?: number;
  /** Starts the program that writes it. The stream ends only after that program has exited with 0; else it errors. */
  open(signal: AbortSignal): Readable;
}

/** A table as the snapshot's catalogue has it. */
export interface TableFacts {
  readonly schema: string;
  readonly name: string;
  /** The planner's estimate of the rows; -1 where it was never analysed, -2 where the job leaves its rows out. */
  readonly estimatedRows: number;
}

/** What identifies a database, whatever URL it is reached by. */
export interface DatabaseIdentity {
  /** Of the server's data, in decimal digits; null where the role may not read it. A standby has that of its primary. */
  readonly systemIdentifier: string | null;
  /** Name of the database; null for several of one server. */
  readonly name: string | null;
}

/** How a database compares text: its unique keys, ranges of partitions and sorted answers depend on it. */
export interface DatabaseLocale {
  /** The database's name. */
  readonly name: string;
  readonly encoding: string;
  /** `LC_COLLATE` and `LC_CTYPE`, which a database has with every provider. */
  readonly collate: string;
  readonly ctype: string;
  /** What compares: `libc`, `icu` or `builtin`. */
  readonly provider: string;
  /** That provider's name of the locale; null for libc. */
  readonly locale: string | null;
  /** Rules of ICU beside those of the locale; null for none. */
  readonly rules: string | null;
  /** The version of the provider's order that the database was made with; null where there is none. */
  readonly version: string | null;
}

/** What is known about the database in the backup's snapshot. */
export interface DatabaseFacts {
  readonly identity: DatabaseIdentity;
  readonly name: string;
  /** Size on disk in bytes (`pg_database_size`). */
  readonly size: number;
  readonly encoding: string;
  /** Of each of its databases. Backups of former versions do not say. */
  readonly locales?: readonly DatabaseLocale[] | undefined;
  /** For instance `17.4`. */
  readonly serverVersion: string;
  /** Version of the pg_dump that reads it. */
  readonly clientVersion: string;
  /** The snapshot's moment by the server's clock. */
  readonly snapshotTime: Date;
  readonly tables: readonly TableFacts[];
  /** Roles that own or are granted something in this database: a restore with ownership needs them. */
  readonly roles: readonly string[];
}

/** Something that is not in a backup. */
export interface Omission {
  readonly artifact: string;
  readonly reason: string;
}

/** A file that a database has a row of. */
export interface StoredFile {
  readonly bucket: string;
  /** Path in its bucket. */
  readonly path: string;
}

/** A consistent view of a database, open for reading. */
export interface DatabaseBackup {
  readonly facts: DatabaseFacts;
  /**
   * Names what has the lock: the server as it has run since its start, and the database. Runs with the same name exclude each other by
   * that lock. Left out where it is not known.
   */
  readonly lockedIn?: string | undefined;
  readonly artifacts: readonly DatabaseArtifact[];
  /** What belongs to the database and is in none of the artifacts, and why. */
  readonly omitted: readonly Omission[];
  /**
   * The files that the database has rows of in the snapshot, of some buckets or of all. Left out by databases that keep no
   * account of files.
   */
  readonly storedFiles?: (buckets: readonly string[] | undefined) => AsyncIterable<StoredFile>;
  /**
   * Ends the snapshot and keeps the lock, for work that takes long and reads nothing of it: while there is a snapshot, the
   * server cannot clean up what was deleted since.
   */
  endSnapshot(): Promise<void>;
  /** Ends the snapshot and gives back the lock. May be called more than once. */
  close(): Promise<void>;
}

/** Options of {@link DatabaseProvider.backup}. */
export interface BackupOptions {
  /** Name of the lock that only one run at a time may hold, for instance `prod/app`. */
  readonly lock: string;
  readonly signal: AbortSignal;
}

/** An artifact of a backup, to be restored. */
export interface RestoreArtifact {
  readonly name: string;
  readonly format: string;
  /** pg_dump's version that wrote it. */
  readonly clientVersion: string;
  /** Decrypted and decompressed size in bytes. */
  readonly size: number;
  /**
   * Opens the decrypted, decompressed bytes. May be called several times, and the stream be destroyed before its end. Only bytes come
   * out that are proven to be the backup's, but where a person trusts the store: then its end alone says that they are.
   */
  open(signal: AbortSignal): Readable;
}

/** Options of {@link DatabaseProvider.restore}. */
export interface RestoreOptions {
  /** What the backup's manifest says of the database. */
  readonly facts: Pick<DatabaseFacts, "tables" | "roles" | "name" | "locales">;
  /** Restore into a database that already holds objects; conflicts still fail and roll everything back. */
  readonly allowNonEmpty: boolean;
  /**
   * Parallel workers. 1 streams in one transaction; more need scratch space for the decompressed archive. One that was dumped
   * in parallel needs it in any case.
   */
  readonly jobs: number;
  /** Folder for the scratch file of a parallel restore. */
  readonly scratchDirectory: string;
  /** Create the roles that the target lacks from the backup's roles. */
  readonly createRoles: boolean;
  /** Restore neither owners nor privileges: everything belongs to the connecting role. */
  readonly noOwner: boolean;
  /** Put everything into the target's default tablespace. Default false. */
  readonly noTablespaces?: boolean;
  /**
   * End the restore of a Supabase project at the first of the errors that it otherwise lists and goes on after: nothing is restored
   * then. Default false.
   */
  readonly strict?: boolean;
  /** The target's own reference, from a person who means just this target; see {@link DatabaseProvider.restore}. */
  readonly confirm?: string | undefined;
  /** Check everything and report what would be done, but change nothing. Default false. */
  readonly dryRun?: boolean;
  /**
   * Reads all of the backup and proves what is stored, which may take hours. To be called, in a dry run too, when what can be refused at
   * once has been, and before an artifact is opened. Left out: they may be opened.
   */
  readonly prove?: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** What a restore did. */
export interface RestoreReport {
  readonly database: string;
  /** Objects now in the target, by kind, from its catalogue. */
  readonly objects: Readonly<Record<string, number>>;
  /** Roles that were created. */
  readonly rolesCreated: readonly string[];
  readonly warnings: readonly string[];
  /** What was done, step by step; in a dry run what would be. */
  readonly steps?: readonly string[];
  /** What of the backup was deliberately not restored, and why, one sentence each. */
  readonly leftOut?: readonly string[];
  /** What the server refused, and a restore may do without, one sentence each. */
  readonly refused?: readonly string[];
  /** What of the restored database was compared with the backup, one sentence each. */
  readonly compared?: readonly string[];
  /** How the restored database differs from the backup, but for what was left out or refused. */
  readonly differences?: readonly string[];
}

/** A table and its rows, counted one by one. */
export interface TableRows {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
}

/** A table of a database that was restored. */
export interface RestoredTable extends TableRows {
  /** Whether an extension made it, which fills it as that extension's version does. */
  readonly ofExtension: boolean;
}

/** Options of {@link DatabaseProvider.createScratch}. */
export interface ScratchOptions {
  /** What the manifest says of the backup that is to be restored there. */
  readonly facts: Pick<DatabaseFacts, "serverVersion" | "encoding" | "roles" | "locales">;
  /** The server was started for this drill, so roles are made there for what is restored. Default: it is a server of people's. */
  readonly own?: boolean;
  /**
   * Code of the backup may run with the rights of what it must not reach otherwise: as the user of this process, or as a superuser of a
   * server of people's. Default false.
   */
  readonly acceptSharedUser?: boolean | undefined;
  readonly signal: AbortSignal;
}

/** An empty database that exists for one drill. */
export interface ScratchDatabase {
  readonly name: string;
  /** The server's, for instance `17.4`. */
  readonly serverVersion: string;
  /** What was found of drills that were killed, one sentence each. */
  readonly warnings: readonly string[];
  /** Restores artifacts into it, without owners and privileges. `CONFIG` where the server lacks extensions of theirs. */
  restore(artifacts: readonly RestoreArtifact[], facts: RestoreOptions["facts"], signal: AbortSignal): Promise<void>;
  /** Its ordinary tables, and how many rows each has. */
  countRows(signal: AbortSignal): Promise<RestoredTable[]>;
  /** Runs a query read-only, with the search path that PostgreSQL has by default; the server ends it after so many seconds. */
  ask(query: string, seconds: number, signal: AbortSignal): Promise<Answer>;
  /** Drops it and everything else that was made for it. Takes no signal: it must work in an aborted run, too. */
  drop(): Promise<void>;
}

/**
 * What a query gave: its first rows, at most two, with their columns as text; or the number of characters that one of them has more
 * of, and may not; or what the server has against it.
 */
export type Answer =
  | { readonly rows: readonly (readonly (string | null)[])[] }
  | { readonly longerThan: number }
  | { readonly refused: ProviderError };

/** One check of `doctor`, with what to do if it is not ok. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly fix?: string;
}

/** A database that can be backed up, and restored into. Every error is a `ProviderError`. */
export interface DatabaseProvider {
  readonly kind: string;
  /** Server and database, for people; never a secret. */
  readonly description: string;

  /**
   * Connects, checks that an installed client fits the server, takes the lock (`LockHeldError` where another run has it)
   * and exports a snapshot that all artifacts read. The caller closes what it gets.
   */
  backup(options: BackupOptions): Promise<DatabaseBackup>;

  /** Connects, and asks which database it is: the same as the `identity` of a backup's facts. */
  identify(signal: AbortSignal): Promise<DatabaseIdentity>;

  /**
   * Restores artifacts into this provider's own database, completely or not at all. Refuses (`CONFLICT`) a target that is
   * not empty, and (`CONFIG`) one that lacks roles which the backup needs, unless the options say otherwise. A kind whose
   * targets have a reference of their own asks for it (`CONFIG`) before it changes anything.
   */
  restore(artifacts: readonly RestoreArtifact[], options: RestoreOptions): Promise<RestoreReport>;

  /**
   * Creates an empty database on this provider's server for a drill, and roles that the backup needs and the server lacks.
   * Drops what drills that were killed left there more than a day ago. `CONFIG` where the server is older than the
   * backup's, or a standby; `AUTH` where the role may not create what is needed.
   */
  createScratch(options: ScratchOptions): Promise<ScratchDatabase>;

  /**
   * Checks everything that a backup needs. Never throws for a finding.
   *
   * @param lock the lock of the job's runs, to see whether it is free; see {@link BackupOptions.lock}
   */
  check(signal: AbortSignal, lock?: string): AsyncIterable<Check>;
}

/** What a configuration says of the programs that read an artifact. */
export interface Programs {
  /** Their folder. Default: those installed are looked for. */
  readonly clients?: string | undefined;
  /** Folder for what they need as files. Default: the system's for temporary files. */
  readonly scratch?: string | undefined;
}

/** Options of {@link DatabaseDefinition.startThrowaway}. */
export interface ThrowawayOptions extends Programs, Pick<ScratchOptions, "acceptSharedUser"> {}

/** An empty server that was started for a drill. */
export interface ThrowawayServer {
  /** The connection URL of its superuser. A secret. */
  readonly url: string;
  /** For people. */
  readonly description: string;
  /** Ends it, and removes all of it. */
  stop(): Promise<void>;
}

/** How a kind's artifacts are read: {@link Programs}, and which kind it is. */
export interface Reader extends Programs {
  readonly kind: string;
}

/** What the configuration of every kind of database says. */
interface DatabaseSettings {
  /** URL of the database: `restore --to` and a job's drill put another one here. */
  readonly url: SecretRef;
}

/** One kind of database. */
export interface DatabaseDefinition<
  Schema extends z.ZodObject & z.ZodType<DatabaseSettings>,
> extends ProviderDefinition<Schema, DatabaseProvider, ProviderContext> {
  /** The formats of the artifacts that this kind has ever written, and what a restore does with each. */
  readonly formats: Readonly<Record<string, ArtifactUse>>;

  /** The kind of the server that drills restore into. Default: this one. */
  readonly drillKind?: string;

  /**
   * Starts an empty server on this machine, for drills of jobs that name none. `CONFIG` where the machine cannot.
   * Default: a job has to name one.
   *
   * @param config of the job's database, for what it says of the programs to use
   */
  startThrowaway?(config: ThrowawayOptions, signal: AbortSignal): Promise<ThrowawayServer>;

  /** Why a backup with artifacts of these formats cannot be drilled, and what to do instead. Default: any can be. */
  undrillable?(formats: readonly string[]): { readonly reason: string; readonly fix: string } | undefined;

  /** Why a job with this configuration must encrypt its backups, to be read after "because". Default: it need not. */
  needsEncryption?(config: z.output<Schema>): string | undefined;

  /**
   * Reads an artifact to its end and proves that it can be restored as far as that is possible without a database.
   * `INTEGRITY` where it cannot; `CONFIG` where the machine lacks a program for it. An error of the bytes' own stream is
   * passed on as it is. The bytes are consumed or destroyed when the promise settles.
   *
   * @param config the job's, for what it says of the programs to use
   * @param signal ends the programs, also when all bytes have been read: one that is stopped would be waited for without end
   */
  verify(
    artifact: Pick<RestoreArtifact, "name" | "format" | "clientVersion">,
    bytes: Readable,
    config: Programs,
    signal: AbortSignal,
  ): Promise<void>;

  /**
   * Counts the rows of each table that an artifact holds, by reading it to its end. Errors are those of `verify`.
   *
   * @param config as of `verify`
   * @param signal as of `verify`
   */
  countRows(
    artifact: Pick<RestoreArtifact, "name" | "format" | "clientVersion">,
    bytes: Readable,
    config: Programs,
    signal: AbortSignal,
  ): Promise<TableRows[]>;
}

/** Checks a definition's types and returns it. */
export function defineDatabase<Schema extends z.ZodObject & z.ZodType<DatabaseSettings>>(
  definition: DatabaseDefinition<Schema>,
) {
  return definition;
}
