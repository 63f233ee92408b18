import { randomBytes } from "node:crypto";
import { PassThrough, Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { abortedError, ProviderError, reworded, toProviderError } from "../../../errors.ts";
import { withGrace } from "../../../fields/grace.ts";
import type { RestoreArtifact, RestoreOptions, RestoreReport } from "../../database.ts";
import { isArchive } from "../artifacts/formats.ts";
import { spool, type SpooledArchive } from "../artifacts/spooled-archive.ts";
import { connect, type ControlConnection, place, withConnection } from "../connect/control-connection.ts";
import { DatabaseInUseError, UnfitOrderError } from "../messages/server-errors.ts";
import { chooseClients, majorVersion, type ProgramDirectory } from "../programs/clients.ts";
import { connecting, databaseString } from "../programs/libpq-environment.ts";
import { createStatement, orderOf, readLocale } from "../locale.ts";
import { feed, type Program, readFrom, readHead, readThrough, runProgram } from "../programs/program.ts";
import type { RoleStatement } from "../roles/roles-sql.ts";
import { connectingRole, rolesToCreate } from "../roles/roles-to-create.ts";
import type { PostgresSettings } from "../settings.ts";
import { applyAttributes, type Attributes, attributesReader, readAttributes } from "./attributes.ts";
import { countObjects, isEmpty } from "./contents.ts";
import { parallelCalls, readStages } from "./parallel-calls.ts";
import { NotEmptyError, stateAfter } from "./state-after.ts";

/** The application_name of each restore in one transaction begins with this. */
const SESSION = "provision-restore-";

/** PostgreSQL's longest name, in bytes. */
const LONGEST_NAME_BYTES = 63;

/** How often a database is renamed that has other sessions, and the pause between two tries in milliseconds. */
const RENAME_TRIES = 20;
const RENAME_PAUSE_MS = 250;

/**
 * Milliseconds that what follows a restore's last row may take once the run was aborted: nothing is undone any more then, and its end
 * must say what the target holds. Shorter than the time that the watchdog gives for tidying up.
 */
const FINISH_MS = 10_000;

/** Restores a backup's artifacts into the settings' database, completely or not at all. */
export async function restorePostgres(
  settings: PostgresSettings,
  artifacts: readonly RestoreArtifact[],
  options: RestoreOptions,
): Promise<RestoreReport> {
  const check = async (control: ControlConnection): Promise<Target & { readonly empty: boolean }> => {
    const opened = await openArchive(control, artifacts, settings.clients);
    const empty = await checkTarget(control, options);
    refuseLateConnection(settings, options);
    if (!options.createRoles) await rolesToCreate(control, artifacts, options);
    const differs = await otherOrder(control, options);
    return { ...opened, settings, control, options, empty, differs };
  };
  if (options.prove !== undefined) {
    // What would be refused in the end is refused before all is read, and looked at again after that, over a new connection.
    await withConnection(settings.connection, options.signal, check);
    await options.prove();
  }
  return withConnection(settings.connection, options.signal, async (control) => {
    const target = await check(control);
    const roles = await rolesToCreate(control, artifacts, options);
    const me = await connectingRole(control);
    const warnings = [
      ...roles.notes,
      ...target.differs,
      ...(me.superuser ? [SUPERUSER] : []),
      ...(options.noOwner
        ? ["Owners and privileges were not restored: everything belongs to the connecting role."]
        : []),
    ];
    const common = { database: control.database, warnings, steps: stepsOf(target, roles.names, me.name) };
    if (options.dryRun === true)
      return { ...common, ...(await planOf(target, common.steps)), objects: {}, rolesCreated: [] };
    await createRoles(control, roles.statements);
    let found: Attributes;
    try {
      found =
        options.jobs === 1 ? await restoreInOneTransaction(target, target.empty) : await restoreInParallel(target);
    } catch (error) {
      throw await withoutRoles(target, roles.names, error);
    }
    // What is there already has an owner, settings and privileges that people rely on.
    const restored = target.empty ? found : without(`${control.database} was not empty, and keeps its own`);
    const { objects, refused } = await finish(target, restored);
    return { ...common, objects, rolesCreated: roles.names, refused, leftOut: restored.leftOut };
  });
}

/**
 * The archive among a backup's artifacts, and clients that can read it and write to the server.
 *
 * @throws {ProviderError} `CONFIG` where there is no archive, or no such clients
 */
export async function openArchive(
  { serverMajor, serverVersion }: ControlConnection,
  artifacts: readonly RestoreArtifact[],
  clients: string | undefined,
): Promise<{ archive: RestoreArtifact; clients: ProgramDirectory }> {
  const archive = artifacts.find(isArchive);
  if (archive === undefined) throw new ProviderError("CONFIG", "The backup holds no pg_dump archive to restore.");
  const { clientVersion } = archive;
  const needed = Math.max(serverMajor, majorVersion(clientVersion));
  const reason = `pg_dump ${clientVersion} wrote the archive, and the server is PostgreSQL ${serverVersion}`;
  return { archive, clients: await chooseClients(needed, reason, clients) };
}

/** What both ways to restore need. */
interface Target {
  readonly settings: PostgresSettings;
  readonly control: ControlConnection;
  readonly clients: ProgramDirectory;
  readonly archive: RestoreArtifact;
  readonly options: RestoreOptions;
  /** That it orders text otherwise than the backup's database; empty where it does not, or nothing is known. */
  readonly differs: readonly string[];
}

/** The locale of the backup's database; undefined where its manifest does not say. */
function localeOf({ facts: { locales = [], name } }: RestoreOptions) {
  return locales.find((each) => each.name === name);
}

/** See {@link Target.differs}. */
async function otherOrder(control: ControlConnection, options: RestoreOptions): Promise<readonly string[]> {
  const backup = localeOf(options);
  if (backup === undefined) return [];
  const own = await readLocale(control);
  if (orderOf(own) === orderOf(backup)) return [];
  return [
    `Text is sorted and ranged by ${orderOf(backup)} in the backup and by ${orderOf(own)} in ${control.database}: range partitions, ` +
      `unique indexes and sort order may differ. One that fits: ${newDatabase(control, options)}`,
  ];
}

/** The statement that makes an empty target, as the backup's database was made as far as that is known. */
function newDatabase({ database, quote, serverMajor }: ControlConnection, options: RestoreOptions): string {
  const locale = localeOf(options);
  if (locale === undefined) return `CREATE DATABASE ${quote(database)} TEMPLATE template0;`;
  return `${createStatement(quote(database), locale, serverMajor)};`;
}

/** Refuses a target that cannot be restored into, and says whether it is empty. */
async function checkTarget(control: ControlConnection, options: RestoreOptions): Promise<boolean> {
  const { database } = control;
  if (control.inRecovery) {
    throw new ProviderError("CONFIG", `${place(control.host)} is a standby, which cannot be restored into.`, {
      fix: "Name the primary server in the connection URL.",
    });
  }
  await refuseRestoring(control);
  if (await isEmpty(control)) return true;
  if (!options.allowNonEmpty) {
    throw new ProviderError("CONFLICT", `The database ${database} is not empty, so nothing was restored into it.`, {
      fix: "Restore into a new database (CREATE DATABASE … TEMPLATE template0), or allow a target that is not empty.",
    });
  }
  if (options.jobs === 1) return false;
  throw new ProviderError("CONFIG", `The database ${database} is not empty, and a parallel restore cannot be undone.`, {
    fix: "Restore with one job, which is a single transaction, or into an empty database.",
  });
}

/** A database that a restore is filling looks empty until that commits, even after its runner was killed. */
async function refuseRestoring(control: ControlConnection): Promise<void> {
  const [other] = await control.query<{ pid: number }>(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND starts_with(application_name, $1)",
    [SESSION],
  );
  if (other === undefined) return;
  const problem = `Another restore is filling the database ${control.database}: process ${other.pid} of the server.`;
  throw new ProviderError("CONFLICT", problem, {
    fix: `Wait until it ends. If its runner was killed, SELECT pg_terminate_backend(${other.pid}) ends it and rolls it back.`,
  });
}

/** With several workers pg_restore connects once more at its end, with the password that it began with. */
function refuseLateConnection({ connection }: PostgresSettings, { jobs }: RestoreOptions): void {
  if (jobs === 1 || connection.token === undefined) return;
  const problem =
    "A parallel restore may outlive its token: pg_restore connects once more at its end, without a new one.";
  throw new ProviderError("CONFIG", problem, {
    fix: "Restore with one job, or with a role that has a password: put it into the target's connection URL, and add --no-auth.",
  });
}

/** Creates roles, all of them or none. Through this connection and not through psql, for which they could hold commands to the shell. */
async function createRoles(control: ControlConnection, statements: readonly RoleStatement[]): Promise<void> {
  if (statements.length > 0) {
    await control.query(["BEGIN", ...statements.map(({ sql }) => sql), "COMMIT"].join(";\n"));
  }
}

/** The failure of a restore, after the roles that it had created are dropped again; those that cannot be are named in it. */
async function withoutRoles(
  { settings, control, options }: Target,
  roles: readonly string[],
  error: unknown,
): Promise<unknown> {
  const left = new Set(roles);
  if (left.size === 0) return error;
  const drop = async (late: AbortSignal): Promise<void> => {
    // The target of a parallel restore may have another name now.
    const after = await (options.jobs === 1
      ? connect(settings.connection, late, { host: control.host })
      : connectElsewhere(settings, control, late));
    try {
      for (const role of roles) {
        // The server refuses it for a role that owns something, or may do something.
        await after.query(`DROP ROLE ${after.quote(role)}`).then(
          () => left.delete(role),
          () => undefined,
        );
      }
    } finally {
      await after.close();
    }
  };
  await withGrace(options.signal, drop, FINISH_MS).catch(() => undefined);
  if (left.size === 0) return error;
  const { fix } = toProviderError(error);
  const again = [...left].map((role) => `DROP ROLE ${control.quote(role)};`).join(" ");
  return reworded(
    error,
    (own) => `${own} Roles that the restore created and could not drop again: ${[...left].join(", ")}.`,
    fix === undefined ? again : `${fix} ${again}`,
  );
}

/**
 * Gives the restored database its attributes, which may close it to the connecting role, after its objects were counted; over a new
 * connection: the first has been silent for as long as the restore took.
 */
async function finish(
  { settings, control, options }: Target,
  attributes: Attributes,
): Promise<{ readonly objects: Record<string, number>; readonly refused: readonly string[] }> {
  const { host, database } = control;
  let failing = "its objects could not be counted, and its owner, privileges, comment and settings are not restored";
  const work = async (after: ControlConnection) => {
    const objects = await countObjects(after);
    failing = "its owner, privileges, comment and settings were not restored (they are one transaction)";
    return { objects, refused: await applyAttributes(after, attributes) };
  };
  try {
    return await withGrace(
      options.signal,
      (late) => withConnection(settings.connection, late, work, { host }),
      FINISH_MS,
    );
  } catch (error) {
    throw reworded(error, (own) => `The database ${database} was restored, but ${failing}. ${own}`);
  }
}

/** Restores the archive in one transaction, which a damaged archive can never commit. */
async function restoreInOneTransaction(target: Target, wasEmpty: boolean): Promise<Attributes> {
  const { archive, options, control, settings, clients } = target;
  const { signal } = options;
  let proven = false;
  const session = `${SESSION}${randomBytes(6).toString("hex")}`;
  const program = (...args: string[]): Program =>
    restoreProgram(target, control.database, ["--single-transaction", ...args], session);
  try {
    if (archive.format === "pg_dump-custom") {
      // From the bytes that are restored.
      const copy = new PassThrough();
      const output = readThrough(attributesReader(clients, options.noOwner), copy, signal);
      const attributes = attributesOf(target, output).catch((error: unknown) =>
        without(toProviderError(error).message),
      );
      const source = archive.open(signal).once("end", () => (proven = true));
      await feed(program(), source, signal, undefined, copy);
      return await attributes;
    }
    const spooled = await spool(archive, options);
    proven = true;
    try {
      await runProgram(program(spooled.path), signal);
      return await spooledAttributes(target, spooled);
    } finally {
      await spooled.close();
    }
  } catch (error) {
    const problem = explain(error, target);
    if (!wasEmpty) throw problem;
    const check = (late: AbortSignal) => stateAfter({ settings, control, session, signal: late }, problem);
    const failed = await withGrace(signal, check, FINISH_MS);
    // Aborted after the transaction had committed: then the whole backup is there, if what was read had come to its proven end.
    if (signal.aborted && proven && failed instanceof NotEmptyError) return without("the restore was aborted");
    throw failed;
  }
}

/** What is said of the database itself where nothing is to be restored of it. */
const NO_ATTRIBUTES: Attributes = { statements: [], leftOut: [], encoding: "UTF8" };

function without(why: string): Attributes {
  return { ...NO_ATTRIBUTES, leftOut: [`the database's owner, privileges, comment, limit and settings: ${why}`] };
}

function attributesOf({ control }: Target, output: Readable): Promise<Attributes> {
  return readAttributes(output, control.quote(control.database));
}

function spooledAttributes(target: Target, { path, descriptor }: SpooledArchive): Promise<Attributes> {
  const program = attributesReader(target.clients, target.options.noOwner, path);
  return attributesOf(target, readFrom(program, target.options.signal, descriptor));
}

/**
 * Restores with several sessions, which cannot share a transaction: until it is complete, the database has another name,
 * so that a half of it cannot be taken for the whole.
 */
async function restoreInParallel(target: Target): Promise<Attributes> {
  const { settings, control, clients, archive, options } = target;
  const { database } = control;
  const maintenance = await connectElsewhere(settings, control, options.signal);
  const incomplete = incompleteName(database);
  let renamed = false;
  let attributes = NO_ATTRIBUTES;
  try {
    const spooled = await spool(archive, options);
    try {
      const stages = await readStages(spooled, clients, options.signal);
      attributes = await spooledAttributes(target, spooled);
      // A database cannot be renamed while it has a session.
      await control.close();
      await rename(maintenance, database, incomplete, options.signal);
      renamed = true;
      for await (const args of parallelCalls(stages, spooled.path, options)) {
        const program = restoreProgram(target, incomplete, args, "provision");
        await runProgram(program, options.signal, spooled.descriptor);
      }
    } finally {
      await spooled.close();
    }
    // Over a new connection: an abort ends the other one, and nothing would say whether the last rename took effect.
    await withGrace(options.signal, (late) => giveName(target, incomplete, late), FINISH_MS);
    return attributes;
  } catch (error) {
    if (!renamed) throw error;
    const problem = explain(error, target);
    const again =
      `To try again: DROP DATABASE ${maintenance.quote(incomplete)}; ` +
      `${newDatabase(control, options)} and restore again.`;
    throw reworded(
      problem,
      (message) =>
        `The restore failed. What was restored is in the database ${incomplete}; none is named ${database} now. ${message}`,
      problem.fix === undefined ? again : `${problem.fix} ${again}`,
    );
  } finally {
    await maintenance.close();
  }
}

/** Gives a database that is complete the target's name. */
async function giveName({ settings, control }: Target, incomplete: string, signal: AbortSignal): Promise<void> {
  const maintenance = await connectElsewhere(settings, control, signal);
  try {
    await rename(maintenance, incomplete, control.database, signal);
  } finally {
    await maintenance.close();
  }
}

/** The name with a mark and a random end, cut to the length that a name may have. */
function incompleteName(database: string): string {
  const end = `_incomplete_${randomBytes(4).toString("hex")}`;
  const characters = Array.from(database);
  while (Buffer.byteLength(characters.join("") + end) > LONGEST_NAME_BYTES) characters.pop();
  return characters.join("") + end;
}

/** A connection to one of the databases that every server has, on the same server. */
async function connectElsewhere(
  { connection }: PostgresSettings,
  { database, host }: ControlConnection,
  signal: AbortSignal,
): Promise<ControlConnection> {
  const [first = "", second] = ["postgres", "template1"].filter((name) => name !== database);
  try {
    return await connect(connection, signal, { database: first, host });
  } catch (error) {
    if (signal.aborted || second === undefined) throw error;
    return connect(connection, signal, { database: second, host });
  }
}

async function rename(maintenance: ControlConnection, from: string, to: string, signal: AbortSignal): Promise<void> {
  const statement = `ALTER DATABASE ${maintenance.quote(from)} RENAME TO ${maintenance.quote(to)}`;
  for (let tries = 1; ; tries += 1) {
    try {
      await maintenance.query(statement);
      return;
    } catch (error) {
      if (signal.aborted) throw abortedError(signal);
      const busy = error instanceof DatabaseInUseError;
      // The sessions of programs that have just ended need a moment to go.
      if (busy && tries < RENAME_TRIES) {
        await delay(RENAME_PAUSE_MS);
        continue;
      }
      if (busy) throw error;
      const fix =
        "A parallel restore renames the database: the role must own it and have CREATEDB. Else restore with one job.";
      throw reworded(error, (message) => message, fix);
    }
  }
}

/** A call of pg_restore, from its standard input where the arguments name no archive. */
export function restoreProgram(
  {
    settings,
    control,
    clients,
    options,
  }: Pick<Target, "settings" | "control" | "clients"> & { options: Pick<RestoreOptions, "noOwner" | "noTablespaces"> },
  database: string,
  args: readonly string[],
  applicationName: string,
): Program {
  return {
    ...connecting(settings.connection, control, clients, applicationName),
    name: "pg_restore",
    args: [
      `--dbname=${databaseString(database)}`,
      "--exit-on-error",
      "--no-password",
      ...(options.noOwner ? ["--no-owner", "--no-privileges"] : []),
      ...(options.noTablespaces === true ? ["--no-tablespaces"] : []),
      ...args,
    ],
    otherwise: "INTERNAL",
  };
}

/** Adds that the server is older than the archive, or orders text otherwise, where that is so. */
function explain(error: unknown, { archive: { clientVersion }, control, differs }: Target): ProviderError {
  const problem = toProviderError(error);
  if (problem instanceof UnfitOrderError && differs[0] !== undefined)
    return reworded(problem, (own) => own, differs[0]);
  if (majorVersion(clientVersion) <= control.serverMajor || problem.code === "ABORTED") return problem;
  const fix =
    `pg_dump ${clientVersion} wrote the archive, and the server is the older PostgreSQL ${control.serverVersion}: ` +
    `restore into version ${majorVersion(clientVersion)} or newer.`;
  return reworded(problem, (message) => message, fix);
}

/** What a restore does that has passed all checks. */
function stepsOf({ control, archive, options: { jobs } }: Target, roles: readonly string[], me: string): string[] {
  const how = jobs === 1 ? "in one transaction" : `with ${jobs} jobs, under another name until it is complete`;
  return [
    ...(roles.length === 0 ? [] : [`create the roles ${roles.join(", ")}, without passwords`]),
    `restore ${archive.name} (${archive.size} bytes) into ${control.database} ${how}`,
    codeRunsAs(me),
  ];
}

/** What a plan adds: what would be done at the end, and what would not. */
async function planOf(target: Target, steps: readonly string[]): Promise<Pick<RestoreReport, "steps" | "leftOut">> {
  const { archive, clients, options } = target;
  const { signal } = options;
  let end = without("named once the dump of several workers is unpacked");
  if (archive.format === "pg_dump-custom") {
    const { output } = await readHead(attributesReader(clients, options.noOwner), archive.open(signal), signal);
    end = await attributesOf(target, Readable.from([Buffer.from(output)]));
  }
  const last =
    end.statements.length === 0 ? [] : [`at the end: ${end.statements.map(({ shown }) => shown).join("; ")}`];
  return { steps: [...steps, ...last], leftOut: end.leftOut };
}

/** Says as which role code of the backup runs. */
export function codeRunsAs(role: string): string {
  return `functions in the backup's constraints, indexes, generated columns and triggers run as ${role} while it is restored`;
}

const SUPERUSER =
  "The connecting role is a superuser, and so is code of the backup that a restore runs: restore as a role without SUPERUSER that owns " +
  "the database, or only from a backup whose table owners you trust.";
