import { text } from "node:stream/consumers";
import { ProviderError } from "../../../errors.ts";
import { counted } from "../../../fields/sizes.ts";
import type { BackupOptions, DatabaseArtifact, DatabaseBackup, DatabaseFacts, TableFacts } from "../../database.ts";
import {
  archiveRisk,
  chooseClients,
  type ProgramDirectory,
  type ProgramSearch,
  searchPrograms,
  majorVersion,
} from "../programs/clients.ts";
import { connect, type ControlConnection } from "../connect/control-connection.ts";
import { refuseHiddenRows } from "./hidden-rows.ts";
import { readSystemIdentifier } from "../connect/identity.ts";
import { lockedIn, takeLock } from "./job-lock.ts";
import { explainOutOfLocks } from "./lock-room.ts";
import { createStatement, readLocale } from "../locale.ts";
import { connecting, databaseString } from "../programs/libpq-environment.ts";
import { type Program, readFrom, runProgram } from "../programs/program.ts";
import { inScope, quoteParts, type Scope, scopeOptions, scopeValues } from "../scope/scope.ts";
import { describeScope, resolveSelection } from "../scope/selection.ts";
import type { PostgresSettings } from "../settings.ts";
import { OutOfLocksError, RecoveryConflictError } from "../messages/server-errors.ts";
import { lockTables, mayLock, readableTables, refuseChanged } from "./table-locks.ts";
import { checkedAtBeginning, type TableWatch, checkOnceBegun } from "./table-watch.ts";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { packedArchive } from "../artifacts/directory-archive.ts";
import { explainFull, makeScratchFolder, type ScratchFolder } from "../artifacts/scratch-folder.ts";

/** How a database is dumped by several workers. */
interface ParallelDump {
  readonly jobs: number;
  /** Where the files are written. Default: the system's folder for temporary files. */
  readonly scratch: string | undefined;
  readonly signal: AbortSignal;
  /** Checked once pg_dump holds its locks. */
  readonly watch?: TableWatch | undefined;
}

/** The first pg_dump that compresses with zstd. */
const ZSTD_SINCE = 16;

/**
 * Dumps with several workers, each of which writes files of its own, and gives the files as one stream, a tar file, once all
 * are there. The workers compress: that is what they have the cores for, and the files take less room. The files are gone when
 * the stream has ended, however it ends.
 */
function parallelDump(
  pgDump: (...args: string[]) => Program,
  { jobs, scratch, signal, watch }: ParallelDump,
): Readable {
  const stream = new PassThrough();
  const givenUp = new AbortController();
  // Destroying the stream ends the dump.
  stream.once("close", () => {
    givenUp.abort();
  });
  const chunks = async function* () {
    const folder = await makeScratchFolder(scratch);
    try {
      await dumpInto(folder, pgDump, jobs, AbortSignal.any([signal, givenUp.signal]), watch);
      yield* packedArchive(folder.path);
    } finally {
      await folder.remove();
    }
  };
  // What fails in here becomes the stream's own error.
  pipeline(chunks, stream).catch(() => undefined);
  return stream;
}

async function dumpInto(
  folder: ScratchFolder,
  pgDump: (...args: string[]) => Program,
  jobs: number,
  signal: AbortSignal,
  watch: TableWatch | undefined,
): Promise<void> {
  const program = pgDump("--format=directory", `--jobs=${jobs}`, `--file=${folder.path}`, "--no-sync");
  const compress = majorVersion(program.clients.version) >= ZSTD_SINCE ? "zstd:1" : "1";
  const spoiled = new AbortController();
  try {
    const complete = { ...program, args: [...program.args, `--compress=${compress}`] };
    const dumping = runProgram(complete, AbortSignal.any([signal, spoiled.signal]));
    const checking = watch === undefined ? undefined : checkOnceBegun(folder.path, dumping, watch);
    checking?.catch((error: unknown) => {
      spoiled.abort(error);
    });
    await dumping;
    await checking;
  } catch (error) {
    throw await explainFull(error, folder.parent);
  }
}

/** An open snapshot, and what its artifacts are made with. */
export interface Source {
  readonly settings: PostgresSettings;
  readonly control: ControlConnection;
  readonly clients: ProgramDirectory;
  /** The exported snapshot's name; the control connection's own transaction reads it too. */
  readonly snapshot: string;
  readonly facts: DatabaseFacts;
  /** Where the tables are not locked: says whether they still are as the snapshot has them. */
  readonly watch: TableWatch | undefined;
}

/** What a kind of database makes of a snapshot. */
export interface Layout {
  readonly scope: Scope;
  /** The tables that are read: qualified names, quoted where SQL needs it. */
  readonly tables: readonly string[];
  /** Makes the artifacts, and says what is in none of them. */
  parts(source: Source): Promise<Pick<DatabaseBackup, "artifacts" | "omitted" | "storedFiles">>;
}

/** How often a snapshot is taken at most; the moment in which a table can change is some milliseconds long. */
const SNAPSHOT_TRIES = 5;

/** The whole database, or what the settings choose of it, as one archive with the server's roles. */
export async function plainLayout(settings: PostgresSettings, control: ControlConnection): Promise<Layout> {
  const scope = await resolveSelection(control, settings.selection ?? {});
  return {
    scope,
    tables: await readableTables(control, scope),
    parts: (source) => {
      const schemas = new Set(source.facts.tables.map(({ schema }) => schema)).size;
      const covers = [
        `definitions and rows: ${counted(source.facts.tables.length, "table")} in ${counted(schemas, "schema")}`,
        ...describeScope(scope),
      ];
      return Promise.resolve({ artifacts: [archive(source, scope, covers), rolesOf(source)], omitted: [] });
    },
  };
}

/**
 * Takes the lock, where there is one, exports a snapshot and offers the artifacts that read it.
 *
 * @param choose what the artifacts are; asked inside the snapshot
 */
export async function openBackup(
  settings: PostgresSettings,
  options: Pick<BackupOptions, "signal"> & { readonly lock?: string },
  choose: (control: ControlConnection) => Promise<Layout> = (control) => plainLayout(settings, control),
): Promise<DatabaseBackup> {
  // Beside the connection: asking the programs for their versions takes as long.
  const programs = searchPrograms("pg_dump", settings.clients);
  const control = await connect(settings.connection, options.signal);
  try {
    const clients = await clientsFor(control, settings.clients, programs);
    if (options.lock !== undefined) await takeLock(control, options.lock);
    const locks = options.lock === undefined ? undefined : await lockedIn(control);
    const systemIdentifier = await readSystemIdentifier(control);
    const { snapshot, layout, watch } = await takeSnapshot(control, settings, choose);
    await refuseHiddenRows(control, layout.scope);
    await refuseUnrestorable({ settings, control, clients }, layout.scope, options.signal);
    const facts = await readFacts(control, clients, snapshot.time, layout.scope, systemIdentifier);
    const parts = await layout.parts({ settings, control, clients, snapshot: snapshot.id, facts, watch });
    // Ending the session ends the transaction and gives back the lock, also where the connection has broken.
    const endSnapshot = async (): Promise<void> => {
      // The lock is the session's and not the transaction's.
      await control.query("COMMIT");
    };
    return { facts, lockedIn: locks, ...parts, endSnapshot, close: () => control.close() };
  } catch (error) {
    await control.close();
    throw error;
  }
}

/**
 * A moment of the database: all of its tables stay as they were then while the snapshot lasts. Where the server has no room for that
 * many locks beside pg_dump's own, they are watched instead.
 */
async function takeSnapshot(
  control: ControlConnection,
  settings: PostgresSettings,
  choose: (control: ControlConnection) => Promise<Layout>,
): Promise<{ snapshot: { id: string; time: Date }; layout: Layout; watch: TableWatch | undefined }> {
  let hasRoom = true;
  for (let attempt = 0; attempt < SNAPSHOT_TRIES; attempt += 1) {
    // Allowed on a hot standby too, unlike serializable.
    await control.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const snapshot = await control.one<{ id: string; time: Date }>(
      "SELECT pg_export_snapshot() AS id, statement_timestamp() AS time",
    );
    const layout = await choose(control);
    hasRoom &&= await mayLock(control, layout.tables, settings.jobs ?? 1);
    if (!hasRoom) return { snapshot, layout, watch: () => refuseChanged(control, layout.tables) };
    try {
      const locked = await lockTables(control, layout.tables, settings.lockTimeoutSeconds);
      if (locked) return { snapshot, layout, watch: undefined };
    } catch (error) {
      if (!(error instanceof OutOfLocksError)) throw error;
      // Others have taken the room.
      hasRoom = false;
    }
    await control.query("ROLLBACK");
  }
  const problem = `Each of ${SNAPSHOT_TRIES} times, a table was truncated, rewritten, renamed or dropped just as the snapshot was taken.`;
  throw new ProviderError("TRANSIENT", problem, {
    fix: "Run the backup at a time when nothing truncates or alters tables over and over.",
  });
}

/**
 * Refuses clients that write what no server accepts. A release may keep values of its own in the options of columns (15.20 and its
 * `pg_attver`), and only clients that know these leave them out. Others show on one table what they do.
 *
 * @throws {ProviderError} `CONFIG`
 */
export async function refuseUnrestorable(
  source: Pick<Source, "settings" | "control" | "clients">,
  scope: Scope,
  signal: AbortSignal,
): Promise<void> {
  const { settings, control, clients } = source;
  const risk = archiveRisk(clients.version, control.serverVersion);
  if (risk === undefined) return;
  const [column] = await control.query<{ name: string; option: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name, split_part(option, '=', 1) AS option
     FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid JOIN pg_namespace AS n ON n.oid = relnamespace, unnest(attoptions) AS option
     WHERE starts_with(option, 'pg_') AND relkind IN ('r', 'p', 'm', 'f') AND has_table_privilege(c.oid, 'SELECT')
       AND ${inScope("nspname", "relname")} ORDER BY relpages LIMIT 1`,
    scopeValues(scope),
  );
  if (column === undefined) return;
  const wait = `--lock-wait-timeout=${settings.lockTimeoutSeconds * 1000}`;
  const args = ["--schema-only", "--no-password", wait, `--table=${quoteParts(column.name)}`];
  const dump = readFrom({ ...programOf(source), name: "pg_dump", args }, signal);
  if (!(await text(dump)).includes(column.option)) return;
  const problem =
    `pg_dump ${clients.version} writes an option of columns of the server, PostgreSQL ${control.serverVersion}, that no server accepts: ` +
    `${column.option}, of the table ${column.name} for instance. Its backup could not be restored.`;
  throw new ProviderError("CONFIG", problem, { fix: risk.fix });
}

/** The clients that can read this connection's server. */
export function clientsFor(
  { serverMajor, serverVersion }: ControlConnection,
  only: string | undefined,
  search?: Promise<ProgramSearch>,
): Promise<ProgramDirectory> {
  return chooseClients(serverMajor, `the server is PostgreSQL ${serverVersion}`, only, search);
}

/**
 * A table's rows as the statistics know them; -1 where they do not. That all rows are gone is known at once: the planner's own number
 * waits for the next VACUUM, and before PostgreSQL 14 it is 0 for a table that was never analysed. Counters that were reset since, as by
 * a crash, know of fewer rows that went than the planner's number has.
 */
const ESTIMATED_ROWS = `CASE
  WHEN pg_relation_size(pg_class.oid) = 0 THEN 0
  WHEN pg_stat_get_live_tuples(pg_class.oid) = 0 AND reltuples > 0 AND pg_stat_get_dead_tuples(pg_class.oid) >= reltuples THEN 0
  WHEN reltuples = 0 THEN -1
  ELSE reltuples END::float8`;

async function readFacts(
  control: ControlConnection,
  clients: ProgramDirectory,
  snapshotTime: Date,
  scope: Scope,
  systemIdentifier: string | null,
): Promise<DatabaseFacts> {
  const database = await control.one<{ name: string; size: string; encoding: string }>(
    `SELECT datname AS name, pg_database_size(oid) AS size, pg_encoding_to_char(encoding) AS encoding
     FROM pg_database WHERE datname = current_database()`,
  );
  const tables = await control.query<TableFacts>(
    `SELECT nspname AS schema, relname AS name, CASE WHEN format('%I.%I', nspname, relname) = ANY($3::text[]) THEN -2 ELSE ${ESTIMATED_ROWS} END AS "estimatedRows"
     FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname <> 'information_schema' AND ${inScope("nspname", "relname")}
     ORDER BY nspname, relname`,
    [...scopeValues(scope), scope.rows],
  );
  return {
    identity: { systemIdentifier, name: database.name },
    ...database,
    size: Number(database.size),
    locales: [await readLocale(control)],
    serverVersion: control.serverVersion,
    clientVersion: clients.version,
    snapshotTime,
    tables,
    roles: await neededRoles(control),
  };
}

/**
 * Roles that own something in this database or have a privilege in it. The catalogue of such dependencies leaves out the
 * role that the server was set up with (its number is always 10), so that one is looked for as an owner.
 */
async function neededRoles(control: ControlConnection): Promise<string[]> {
  const rows = await control.query<{ name: string }>(
    `SELECT rolname AS name FROM pg_roles WHERE oid IN (
       SELECT refobjid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
         AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
       UNION ALL SELECT relowner FROM pg_class WHERE oid >= 16384 AND relowner = 10
       UNION ALL SELECT proowner FROM pg_proc WHERE oid >= 16384 AND proowner = 10
       UNION ALL SELECT typowner FROM pg_type WHERE oid >= 16384 AND typowner = 10
       UNION ALL SELECT nspowner FROM pg_namespace WHERE oid >= 16384 AND nspowner = 10
       UNION ALL SELECT lomowner FROM pg_largeobject_metadata WHERE lomowner = 10
     ) AND rolname !~ '^pg_' ORDER BY rolname`,
  );
  return rows.map((row) => row.name);
}

/** One pg_dump of the snapshot, without what is out of scope. */
export function archive(source: Source, scope: Scope, covers: readonly string[]): DatabaseArtifact {
  const { settings, facts, snapshot, watch } = source;
  const { jobs = 1, scratch } = settings;
  const common = programOf(source);
  const dump = (...args: string[]): Program => ({
    ...common,
    name: "pg_dump",
    explain: (problem) => explainOutOfLocks(common.explain(problem), source.control, jobs),
    args: [
      `--dbname=${databaseString(settings.connection.database)}`,
      ...args,
      "--no-password",
      // The role may have another client_encoding, which may lack characters of the database.
      `--encoding=${facts.encoding}`,
      `--snapshot=${snapshot}`,
      `--lock-wait-timeout=${settings.lockTimeoutSeconds * 1000}`,
      ...scopeOptions(scope),
    ],
  });
  const { control } = source;
  const made = (facts.locales ?? []).map(
    (locale) => `an empty database like it: ${createStatement(control.quote(facts.name), locale, control.serverMajor)}`,
  );
  const described = { required: true, covers: [...covers, ...made], sizeEstimate: facts.size };
  if (jobs > 1) {
    return {
      ...described,
      name: "database.dir.tar",
      format: "pg_dump-directory",
      open: (signal) => parallelDump(dump, { jobs, scratch, signal, watch }),
    };
  }
  return {
    ...described,
    name: "database.dump",
    format: "pg_dump-custom",
    // Compression outside is both stronger and several times as fast.
    open: (signal) => {
      const stream = readFrom(dump("--format=custom", "--compress=0"), signal);
      return watch === undefined ? stream : checkedAtBeginning(stream, watch);
    },
  };
}

/** The server's roles, which a backup may leave out: not every server lets the role read them. */
export function rolesOf(source: Source): DatabaseArtifact {
  const roles: Program = {
    ...programOf(source),
    name: "pg_dumpall",
    args: [
      // It only says where to connect: roles are the whole server's. Not everybody may connect to the default, postgres.
      `--database=${databaseString(source.settings.connection.database)}`,
      "--roles-only",
      // Only superusers may read the passwords' hashes, and they are nothing that a backup should spread.
      "--no-role-passwords",
      // As its own connection has it: names need not be UTF-8 there, and pg_dumpall would fail at the first that is not.
      `--encoding=${source.facts.encoding === "SQL_ASCII" ? "SQL_ASCII" : "UTF8"}`,
      "--no-password",
    ],
  };
  return {
    name: "roles.sql",
    format: "roles-sql",
    required: false,
    covers: ["the server's roles, their settings and memberships, without passwords (not of the snapshot's moment)"],
    open: (signal) => readFrom(roles, signal),
  };
}

/** What every program that reads the snapshot's server needs. */
export function programOf({
  settings: { connection },
  control,
  clients,
}: Pick<Source, "settings" | "control" | "clients">) {
  return {
    // The host that has the snapshot, and no other of the URL.
    ...connecting(connection, control, clients),
    otherwise: "INTERNAL",
    explain: (problem) => (control.broken === undefined ? problem : withoutSnapshot(control.database, control.broken)),
  } satisfies Partial<Program>;
}

/** A snapshot ends with the session that exported it, and what a program says then is only a consequence. */
function withoutSnapshot(database: string, broken: ProviderError): ProviderError {
  const problem = `The session that holds the snapshot of the database ${database} ended before its dump was whole. ${broken.message}`;
  return new ProviderError("TRANSIENT", problem, {
    cause: broken,
    fix:
      (broken instanceof RecoveryConflictError ? broken.fix : undefined) ??
      "Run the backup again: `databases: all` leaves out a database that was dropped. If the database exists, the server's log says " +
        "what ended the session (a restart, pg_terminate_backend, a pooler's timeout).",
  });
}
