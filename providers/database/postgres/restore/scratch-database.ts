import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProviderError, reworded, toProviderError } from "../../../errors.ts";
import type { Answer, RestoreArtifact, RestoredTable, ScratchDatabase, ScratchOptions } from "../../database.ts";
import { makeScratchFolder } from "../artifacts/scratch-folder.ts";
import { spool } from "../artifacts/spooled-archive.ts";
import { parseToc, type TocEntry } from "../artifacts/toc.ts";
import { majorVersion, type ProgramDirectory } from "../programs/clients.ts";
import { archiveReader, feed, readFrom, readHead, runProgram } from "../programs/program.ts";
import { connect, type ControlConnection, place, withConnection } from "../connect/control-connection.ts";
import { hasRawBytes } from "../connect/raw-text.ts";
import { createStatement, orderOf } from "../locale.ts";
import { existingRoles } from "../roles/roles-to-create.ts";
import type { PostgresSettings } from "../settings.ts";
import { openArchive, restoreProgram } from "./restore.ts";

/** The beginning of every scratch database's name; its time follows: `provision_drill_20260102t030405z_1a2b3c`. */
const PREFIX = "provision_drill_";
const NAME = /^provision_drill_(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)z_[0-9a-f]{6}$/;

/** What marks a role that a drill made. */
const ROLE_MARK = "made by a drill of Provision, and dropped by one";

/** Milliseconds after which a scratch database counts as abandoned if no session is connected to it. */
const ABANDONED_MS = 86_400_000;

/** Milliseconds for creating or dropping a database. Neither ends with the run: half done, it would leave something behind. */
const PATIENCE_MS = 60_000;

/** Number of the lock under which roles are made and dropped: drills of several jobs may use one server. */
const ROLES_LOCK = "7021988340262143311";

/** Creates an empty database for a drill; see `DatabaseProvider.createScratch`. */
export async function createScratch(settings: PostgresSettings, options: ScratchOptions): Promise<ScratchDatabase> {
  options.signal.throwIfAborted();
  const scratch = { ...settings, connection: { ...settings.connection, database: newName(new Date()) } };
  const name = scratch.connection.database;
  const own = options.own === true ? ownRoles(scratch) : undefined;
  const drop = (): Promise<void> => dropScratch(settings, scratch);
  return withConnection(settings.connection, AbortSignal.timeout(PATIENCE_MS), async (control) => {
    checkServer(control, options.facts.serverVersion);
    if (own === undefined && options.acceptSharedUser !== true) await refusePower(control);
    const warnings = await dropAbandoned(control, settings);
    warnings.push(...(await createDatabase(control, name, options.facts)));
    try {
      await createRoles(control, scratch, options.facts.roles);
      for (const { connection } of own ? [own.loader, own.reader] : []) {
        const { user, password = "" } = connection;
        await control.query(`CREATE ROLE ${control.quote(user)} LOGIN BYPASSRLS PASSWORD '${password}'`);
      }
    } catch (error) {
      await drop();
      throw error;
    }
    return {
      name,
      serverVersion: control.serverVersion,
      warnings,
      restore: (artifacts, _facts, signal) => restore({ scratch, own, signal }, artifacts),
      countRows: (signal) => countRows(scratch, signal),
      ask: (query, seconds, signal) => ask(own?.reader ?? scratch, query, seconds, signal),
      drop,
    };
  });
}

function newName(now: Date): string {
  const time = now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  return `${PREFIX}${time.toLowerCase()}_${randomBytes(3).toString("hex")}`;
}

function checkServer(control: ControlConnection, backupVersion: string): void {
  const where = place(control.host);
  if (control.inRecovery) {
    throw new ProviderError("CONFIG", `The drill's server ${where} is a standby, where nothing can be created.`, {
      fix: "Name a primary server in the drill's target.",
    });
  }
  if (control.serverMajor >= majorVersion(backupVersion)) return;
  const problem = `The drill's server ${where} is PostgreSQL ${control.serverVersion}, and the backup is of the newer ${backupVersion}.`;
  throw new ProviderError("CONFIG", problem, {
    fix: `Name a server of PostgreSQL ${majorVersion(backupVersion)} or newer in the drill's target.`,
  });
}

/** Refuses a role by which restored code, a table's CHECK for instance, could run programs on the server or read its files. */
async function refusePower(control: ControlConnection): Promise<void> {
  const { role, powerful } = await control.one<{ role: string; powerful: boolean }>(
    `SELECT current_user::text AS role, EXISTS (SELECT FROM pg_roles WHERE pg_has_role(oid, 'MEMBER') AND (rolsuper OR rolname IN
       ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))) AS powerful`,
  );
  if (!powerful) return;
  const problem =
    `The role ${role} of the drill's server ${place(control.host)} is a superuser, or may run programs or use files there as one: so ` +
    "could code of the backup, which runs with its rights.";
  throw new ProviderError("CONFIG", problem, {
    fix:
      "Name another one in drill.target (CREATE ROLE … LOGIN CREATEDB CREATEROLE PASSWORD …), or accept it with acceptSharedUser: true in " +
      "the job's drill.",
  });
}

/**
 * The roles that are made on a drill's own server. All that is restored belongs to the loader, in whose sessions it is restored: a superuser's
 * session would run code of it as a superuser, as an expression is evaluated even where a table or view is only defined.
 */
interface OwnRoles {
  readonly loader: PostgresSettings;
  /** Whom the job's own questions are asked as. */
  readonly reader: PostgresSettings;
}

function ownRoles(scratch: PostgresSettings): OwnRoles {
  const { connection } = scratch;
  const role = (what: string): PostgresSettings => {
    const user = `${connection.database}_${what}`;
    return { ...scratch, connection: { ...connection, user, password: randomBytes(16).toString("hex") } };
  };
  return { loader: role("loader"), reader: role("reader") };
}

/** Drops the scratch databases of drills that were killed, but none that has a session. */
async function dropAbandoned(control: ControlConnection, settings: PostgresSettings): Promise<string[]> {
  const rows = await control.query<{ name: string }>(
    `SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)
       AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE datid = pg_database.oid) ORDER BY datname`,
    [PREFIX],
  );
  const warnings: string[] = [];
  for (const { name } of rows) {
    const time = NAME.exec(name);
    if (time === null) continue;
    const [, year, month, day, hour, minute, second] = time;
    const made = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
    if (Date.now() - made.getTime() < ABANDONED_MS) continue;
    const what = `the scratch database ${name}, which a drill that was killed left on ${place(control.host)}`;
    try {
      await dropDatabase(control, { ...settings, connection: { ...settings.connection, database: name } }, "if unused");
      warnings.push(`Dropped ${what}.`);
    } catch (error) {
      warnings.push(`Could not drop ${what}: ${toProviderError(error).message}`);
    }
  }
  return warnings;
}

/** Creates a database that orders text as the backup's does. Where the server cannot, the warnings say so. */
async function createDatabase(
  control: ControlConnection,
  name: string,
  { encoding, locales: [locale] = [] }: ScratchOptions["facts"],
): Promise<string[]> {
  // Only what the C library orders needs that locale of the operating system.
  for (const each of locale === undefined ? [] : [locale, { ...locale, collate: "C", ctype: "C" }]) {
    if (locale !== undefined && orderOf(each) !== orderOf(locale)) continue;
    const statement = createStatement(control.quote(name), each, control.serverMajor);
    const created = await control.query(statement).catch(() => undefined);
    if (created !== undefined) return [];
  }
  const template = await control.one<{ encoding: string }>(
    "SELECT pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = 'template0'",
  );
  // The locale C of the C library allows every encoding, the server's own may not.
  const provider = control.serverMajor < 15 ? "" : " LOCALE_PROVIDER libc";
  const plain = template.encoding === encoding ? "" : ` ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'${provider}`;
  try {
    if (!/^\w+$/.test(encoding)) throw new ProviderError("CONFIG", `"${encoding}" is no encoding.`);
    await control.query(`CREATE DATABASE ${control.quote(name)} TEMPLATE template0${plain}`);
  } catch (error) {
    const problem = (own: string): string => `No scratch database can be created for the drill. ${own}`;
    const missing = toProviderError(error).code === "AUTH";
    const fix = "ALTER ROLE … CREATEDB, for the role of the drill's target, or name another role there.";
    throw reworded(error, problem, missing ? fix : undefined);
  }
  if (locale === undefined) return [];
  const lacks = `The drill's server cannot order text by ${orderOf(locale)}, as the backup's database does`;
  return [`${lacks}: ranges of partitions, unique indexes and sort order may differ in this drill.`];
}

/** Creates the roles that policies, for instance, name, without any rights. */
async function createRoles(
  control: ControlConnection,
  { connection }: PostgresSettings,
  roles: readonly string[],
): Promise<void> {
  await control.query(`SELECT pg_advisory_lock(${ROLES_LOCK})`);
  const existing = await existingRoles(control);
  const missing = roles.filter((role) => !existing.has(role));
  let maker = control;
  try {
    // Only a database whose encoding allows any bytes takes such a name, and that is the backup's.
    if (missing.some(hasRawBytes)) maker = await connect(connection, AbortSignal.timeout(PATIENCE_MS));
    for (const role of missing) {
      const quoted = control.quote(role);
      await maker.query(`CREATE ROLE ${quoted} NOLOGIN; COMMENT ON ROLE ${quoted} IS '${ROLE_MARK}'`);
    }
  } catch (error) {
    const problem = `The drill's server lacks roles of the backup, ${missing.join(", ")}, and they cannot be created.`;
    const fix =
      "Create them there once (CREATE ROLE … NOLOGIN), or ALTER ROLE … CREATEROLE, for the role of the drill's target.";
    throw reworded(error, (own) => `${problem} ${own}`, fix);
  } finally {
    if (maker !== control) await maker.close();
    await control.query(`SELECT pg_advisory_unlock(${ROLES_LOCK})`);
  }
}

/** Which entries a superuser restores on a drill's own server, before the rest or after it: no code runs in them. */
const FIRST = /^(?:SCHEMA|EXTENSION|FOREIGN SERVER) /;
const LAST = /^(?:PUBLICATION|SUBSCRIPTION) /;
/** Their owner must be a superuser, and they would run in a superuser's session. */
const NEVER = /^EVENT TRIGGER /;

/** Restores a backup's archive: in one call as the drill's role, or on its own server in three. */
function restore(
  { scratch, own, signal }: { scratch: PostgresSettings; own: OwnRoles | undefined; signal: AbortSignal },
  artifacts: readonly RestoreArtifact[],
): Promise<void> {
  return withConnection(scratch.connection, signal, async (control) => {
    const { archive, clients } = await openArchive(control, artifacts, scratch.clients);
    const folder = await makeScratchFolder(scratch.scratch);
    const list = join(folder.path, "list");
    const options = { noOwner: true, noTablespaces: true, scratchDirectory: scratch.scratch ?? tmpdir(), signal };
    const spooled = archive.format === "pg_dump-custom" ? undefined : await spool(archive, options);
    // Of an archive that is streamed, the beginning is enough to restore what has no rows.
    const head = spooled?.path ?? join(folder.path, "head");
    const call = async (settings: PostgresSettings, args: readonly string[], path = spooled?.path): Promise<void> => {
      const all = ["--single-transaction", ...args, ...(path === undefined ? [] : [path])];
      const program = restoreProgram({ settings, control, clients, options }, control.database, all, "provision");
      await (path === undefined ? feed(program, archive.open(signal), signal) : runProgram(program, signal));
    };
    const listed = async (chosen: readonly TocEntry[]): Promise<string[]> => {
      await writeFile(list, chosen.map(({ id }) => `${id};\n`).join(""), { mode: 0o600 });
      return [`--use-list=${list}`];
    };
    try {
      const entries = await readEntries(archive, clients, head, signal);
      await requireExtensions(control, entries);
      if (own === undefined) {
        await call(scratch, []);
        return;
      }
      const [first, last] = [FIRST, LAST].map((kinds) => entries.filter((entry) => kinds.test(whatIs(entry))));
      const rest = entries.filter((entry) => ![FIRST, LAST, NEVER].some((kinds) => kinds.test(whatIs(entry))));
      if (first?.length) await call(scratch, await listed(first), head);
      await control.query(rightsOf(own));
      await call(own.loader, await listed(rest)).catch(needsSuperuser);
      if (last?.length) await call(scratch, await listed(last), head);
    } finally {
      await spooled?.close();
      await folder.remove();
    }
  });
}

/** An entry's kind, of a comment that of what it is on. */
function whatIs({ kind, schema, rest }: TocEntry): string {
  return schema === undefined && (kind === "COMMENT" || kind === "SECURITY LABEL") ? rest : `${kind} `;
}

/** The entries of an archive; of one that is streamed, a file keeps the part that has them. */
async function readEntries(
  archive: RestoreArtifact,
  clients: ProgramDirectory,
  head: string,
  signal: AbortSignal,
): Promise<TocEntry[]> {
  if (archive.format !== "pg_dump-custom") {
    const list = readFrom(archiveReader(clients, ["--list", head]), signal);
    return parseToc((await list.setEncoding("latin1").toArray()).join(""));
  }
  const read = await readHead(archiveReader(clients, ["--list"]), archive.open(signal), signal);
  await writeFile(head, read.head, { mode: 0o600 });
  return parseToc(read.output);
}

/** What the drill's server lacks says nothing of the backup. */
async function requireExtensions(control: ControlConnection, entries: readonly TocEntry[]): Promise<void> {
  const rows = await control.query<{ name: string }>("SELECT name FROM pg_catalog.pg_available_extensions");
  const names = entries.filter(({ kind }) => kind === "EXTENSION").map(({ rest }) => rest.trim());
  const missing = names.filter((name) => !rows.some((row) => row.name === name));
  if (missing.length === 0) return;
  const problem = `The drill's server, PostgreSQL ${control.serverVersion}, has no extension ${missing.join(", ")}.`;
  throw new ProviderError("CONFIG", problem, {
    fix: "Install it there, or name a server in the job's drill.target that has it.",
  });
}

function needsSuperuser(error: unknown): never {
  const fix =
    "If only a superuser may restore that, as a function in an untrusted language: a drill's own server gives code of the backup no " +
    "such rights. Name a server in drill.target whose role has them, with acceptSharedUser: true.";
  throw reworded(error, (own) => own, toProviderError(error).code === "AUTH" ? fix : undefined);
}

/** Gives what is there to the loader, and to the reader what the loader will have. */
function rightsOf(own: OwnRoles): string {
  const [loader = "", reader = ""] = [own.loader, own.reader].map(({ connection }) => connection.user);
  return `SET search_path = pg_catalog; DO $do$DECLARE name text; BEGIN
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
      EXECUTE format('ALTER SCHEMA %1$I OWNER TO ${loader}; GRANT USAGE ON SCHEMA %1$I TO ${reader};
        GRANT ALL ON ALL TABLES IN SCHEMA %1$I TO ${loader}; GRANT SELECT ON ALL TABLES IN SCHEMA %1$I TO ${reader};
        GRANT ALL ON ALL SEQUENCES IN SCHEMA %1$I TO ${loader}', name);
    END LOOP;
    FOR name IN SELECT srvname FROM pg_foreign_server LOOP EXECUTE format('ALTER SERVER %I OWNER TO ${loader}', name); END LOOP;
  END$do$;
  ALTER DEFAULT PRIVILEGES FOR ROLE ${loader} GRANT SELECT ON TABLES TO ${reader};
  ALTER DEFAULT PRIVILEGES FOR ROLE ${loader} GRANT SELECT ON SEQUENCES TO ${reader}`;
}

/** Characters that the answer to a question may have, all its columns together. */
const LONGEST_ANSWER = 100_000;

/** Asks in a transaction that can change nothing; a parameter has the server refuse more than one statement. */
function ask(scratch: PostgresSettings, query: string, seconds: number, signal: AbortSignal): Promise<Answer> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000 + PATIENCE_MS)]);
  const work = async (control: ControlConnection): Promise<Answer> => {
    await control.query(
      `BEGIN READ ONLY; SET LOCAL search_path = "$user", public; SET LOCAL statement_timeout = ${seconds * 1000}`,
    );
    try {
      const rows = await control.query<{ row: (string | null)[] | null }>(
        // A query may end with a comment. What is too long is measured before it is turned into text.
        `SELECT CASE WHEN pg_catalog.pg_column_size(q.*) > $1 OR pg_catalog.length(pg_catalog.row_to_json(q.*)::pg_catalog.text) > $1
           THEN NULL ELSE ARRAY(SELECT value FROM pg_catalog.json_each_text(pg_catalog.row_to_json(q.*))) END AS row
         FROM (SELECT * FROM (${query.replace(/[\s;]+$/, "")}
         ) AS q OFFSET 0) AS q LIMIT 2`,
        [LONGEST_ANSWER],
      );
      const answers = rows.flatMap(({ row }) => (row === null ? [] : [row]));
      return answers.length < rows.length ? { longerThan: LONGEST_ANSWER } : { rows: answers };
    } catch (error) {
      if (deadline.aborted || control.broken !== undefined) throw error;
      return { refused: toProviderError(error) };
    }
  };
  return withConnection(scratch.connection, deadline, work, { readsRows: true });
}

function countRows(scratch: PostgresSettings, signal: AbortSignal): Promise<RestoredTable[]> {
  return withConnection(scratch.connection, signal, async (control) => {
    // An error is better than rows that a policy hides.
    await control.query("SET row_security = off");
    const forced = await control.query<{ name: string }>(
      "SELECT oid::regclass::text AS name FROM pg_class WHERE relforcerowsecurity AND pg_has_role(relowner, 'USAGE')",
    );
    // Its rows are hidden from their owner too, whom the role is; by the empty search path the name has its schema.
    for (const { name } of forced) await control.query(`ALTER TABLE ${name} NO FORCE ROW LEVEL SECURITY`);
    const tables = await control.query<Omit<RestoredTable, "rows">>(
      `SELECT nspname AS schema, relname AS name, EXISTS (SELECT FROM pg_depend
         WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e') AS "ofExtension"
       FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
       WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY nspname, relname`,
    );
    const counted: RestoredTable[] = [];
    for (const table of tables) {
      const name = `${control.quote(table.schema)}.${control.quote(table.name)}`;
      const { rows } = await control.one<{ rows: string }>(`SELECT count(*) AS rows FROM ONLY ${name}`);
      counted.push({ ...table, rows: Number(rows) });
    }
    return counted;
  });
}

function dropScratch(settings: PostgresSettings, scratch: PostgresSettings): Promise<void> {
  return withConnection(settings.connection, AbortSignal.timeout(PATIENCE_MS), async (control) => {
    await dropDatabase(control, scratch, "by force");
    await dropRoles(control);
  });
}

async function dropDatabase(
  control: ControlConnection,
  scratch: PostgresSettings,
  how: "by force" | "if unused",
): Promise<void> {
  // Programs that were ended a moment ago may still have their sessions.
  const force = how === "by force" && control.serverMajor >= 13 ? " WITH (FORCE)" : "";
  const statement = `DROP DATABASE IF EXISTS ${control.quote(scratch.connection.database)}${force}`;
  try {
    await control.query(statement);
  } catch (error) {
    if (!(await dropSubscriptions(scratch).catch(() => false))) throw error;
    await control.query(statement);
  }
}

/** A database with subscriptions cannot be dropped. Those that a restore makes have no slot at the publisher. */
function dropSubscriptions({ connection }: PostgresSettings): Promise<boolean> {
  return withConnection(connection, AbortSignal.timeout(PATIENCE_MS), async (control) => {
    const rows = await control.query<{ name: string }>(
      "SELECT subname AS name FROM pg_subscription JOIN pg_database ON pg_database.oid = subdbid WHERE datname = current_database()",
    );
    for (const name of rows.map((row) => control.quote(row.name))) {
      await control.query(`ALTER SUBSCRIPTION ${name} DISABLE`);
      await control.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
      await control.query(`DROP SUBSCRIPTION ${name}`);
    }
    return rows.length > 0;
  });
}

/** Drops the roles that drills made, unless another drill runs: it may need them, and drops them at its end. */
async function dropRoles(control: ControlConnection): Promise<void> {
  await control.query(`SELECT pg_advisory_lock(${ROLES_LOCK})`);
  const rows = await control.query<{ oid: number }>(
    `SELECT oid FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = $1
       AND NOT EXISTS (SELECT FROM pg_database WHERE starts_with(datname, $2))`,
    [ROLE_MARK, PREFIX],
  );
  for (const { oid } of rows) {
    // By its number, since its name may have bytes that this database's encoding refuses in a statement.
    const statement = `(SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE oid = ${oid})`;
    // A role that owns or may use something by now does not belong to the drills any more.
    await control.query(`DO $$BEGIN EXECUTE ${statement}; END$$`).catch(() => undefined);
  }
}
