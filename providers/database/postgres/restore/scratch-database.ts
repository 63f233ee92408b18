import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { ProviderError, reworded, toProviderError } from "../../../errors.ts";
import type { Answer, RestoredTable, ScratchDatabase, ScratchOptions } from "../../database.ts";
import { majorVersion } from "../programs/clients.ts";
import { connect, type ControlConnection, place, withConnection } from "../connect/control-connection.ts";
import { hasRawBytes } from "../connect/raw-text.ts";
import { createStatement, orderOf } from "../locale.ts";
import { existingRoles } from "../roles/roles-to-create.ts";
import type { PostgresSettings } from "../settings.ts";
import { restorePostgres } from "./restore.ts";

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
  const drop = (): Promise<void> => dropScratch(settings, scratch);
  return withConnection(settings.connection, AbortSignal.timeout(PATIENCE_MS), async (control) => {
    checkServer(control, options.facts.serverVersion);
    const warnings = await dropAbandoned(control, settings);
    warnings.push(...(await createDatabase(control, name, options.facts)));
    try {
      await createRoles(control, scratch, options.facts.roles);
    } catch (error) {
      await drop();
      throw error;
    }
    return {
      name,
      serverVersion: control.serverVersion,
      warnings,
      async restore(artifacts, facts, signal) {
        const restoring = {
          createRoles: false,
          noOwner: true,
          noTablespaces: true,
          noAttributes: true,
          allowNonEmpty: false,
          jobs: 1,
        };
        const scratchDirectory = settings.scratch ?? tmpdir();
        await restorePostgres(scratch, artifacts, { ...restoring, scratchDirectory, facts, signal });
      },
      countRows: (signal) => countRows(scratch, signal),
      ask: (query, seconds, signal) => ask(scratch, query, seconds, signal),
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

/** Asks in a transaction that can change nothing; a parameter has the server refuse more than one statement. */
function ask(scratch: PostgresSettings, query: string, seconds: number, signal: AbortSignal): Promise<Answer> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000 + PATIENCE_MS)]);
  return withConnection(scratch.connection, deadline, async (control) => {
    await control.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${seconds * 1000}`);
    try {
      const rows = await control.query<{ row: (string | null)[] }>(
        // A query may end with a comment.
        `SELECT ARRAY(SELECT value FROM json_each_text(row_to_json(q))) AS row FROM (${query.replace(/[\s;]+$/, "")}
         ) AS q LIMIT $1`,
        [2],
      );
      return { rows: rows.map(({ row }) => row) };
    } catch (error) {
      if (deadline.aborted || control.broken !== undefined) throw error;
      return { refused: toProviderError(error) };
    }
  });
}

function countRows(scratch: PostgresSettings, signal: AbortSignal): Promise<RestoredTable[]> {
  return withConnection(scratch.connection, signal, async (control) => {
    // An error is better than rows that a policy hides; and counting takes as long as it takes.
    await control.query("SET row_security = off; SET statement_timeout = 0");
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
