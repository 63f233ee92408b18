import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { abortedError, ProviderError, reworded, toProviderError } from "../../../errors.ts";
import { withGrace } from "../../../grace.ts";
import type { RestoreArtifact, RestoreOptions, RestoreReport } from "../../database.ts";
import { isArchive } from "../artifacts/formats.ts";
import { spool } from "../artifacts/spooled-archive.ts";
import { connect, type ControlConnection, place, withConnection } from "../connect/control-connection.ts";
import { DatabaseInUseError } from "../messages/server-errors.ts";
import { chooseClients, majorVersion, type ProgramDirectory } from "../programs/clients.ts";
import { connecting, databaseString } from "../programs/libpq-environment.ts";
import { feed, type Program, runProgram } from "../programs/program.ts";
import { rolesToCreate } from "../roles/roles-to-create.ts";
import type { PostgresSettings } from "../settings.ts";
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
export function restorePostgres(
  settings: PostgresSettings,
  artifacts: readonly RestoreArtifact[],
  options: RestoreOptions,
): Promise<RestoreReport> {
  return withConnection(settings.connection, options.signal, async (control) => {
    const { archive, clients } = await openArchive(control, artifacts, settings.clients);
    const empty = await checkTarget(control, options);
    refuseLateConnection(settings, options);
    const rolesCreated = await createRoles(control, artifacts, options);
    if (options.dryRun === true) return planOf(control, archive, rolesCreated, options);
    const target: Target = { settings, control, clients, archive, options };
    if (options.jobs === 1) await restoreInOneTransaction(target, empty);
    else await restoreInParallel(target);
    const objects = await countRestored(target);
    const warnings = options.noOwner
      ? ["Owners and privileges were not restored: everything belongs to the connecting role."]
      : [];
    return { database: control.database, objects, rolesCreated, warnings };
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

/** Creates the backup's roles that the server lacks, where the options allow it. */
async function createRoles(
  control: ControlConnection,
  artifacts: readonly RestoreArtifact[],
  options: RestoreOptions,
): Promise<readonly string[]> {
  const { names, statements } = await rolesToCreate(control, artifacts, options);
  // Through this connection and not through psql, for which a file of roles could hold commands to the shell.
  if (statements.length > 0 && options.dryRun !== true) {
    await control.query(["BEGIN", ...statements.map(({ sql }) => sql), "COMMIT"].join(";\n"));
  }
  return names;
}

/** The objects of the restored database, counted over a new connection: the first has been silent for as long as the restore took. */
async function countRestored({ settings, control, options }: Target): Promise<Record<string, number>> {
  const { host, database } = control;
  const count = (late: AbortSignal) => withConnection(settings.connection, late, countObjects, { host });
  try {
    return await withGrace(options.signal, count, FINISH_MS);
  } catch (error) {
    throw reworded(
      error,
      (own) => `The database ${database} was restored, but its objects could not be counted. ${own}`,
    );
  }
}

/** Restores the archive in one transaction, which a damaged archive can never commit. */
async function restoreInOneTransaction(target: Target, wasEmpty: boolean): Promise<void> {
  const { archive, options, control, settings } = target;
  const { signal } = options;
  const session = `${SESSION}${randomBytes(6).toString("hex")}`;
  const program = (...args: string[]): Program =>
    restoreProgram(target, control.database, ["--single-transaction", ...args], session);
  try {
    if (archive.format === "pg_dump-custom") {
      await feed(program(), archive.open(signal), signal);
    } else {
      const spooled = await spool(archive, options);
      await runProgram(program(spooled.path), signal).finally(() => spooled.close());
    }
  } catch (error) {
    const problem = explain(error, target);
    if (!wasEmpty) throw problem;
    const check = (late: AbortSignal) => stateAfter({ settings, control, session, signal: late }, problem);
    const failed = await withGrace(signal, check, FINISH_MS);
    // Aborted after the transaction had committed: then the whole backup is there.
    if (signal.aborted && failed instanceof NotEmptyError) return;
    throw failed;
  }
}

/**
 * Restores with several sessions, which cannot share a transaction: until it is complete, the database has another name,
 * so that a half of it cannot be taken for the whole.
 */
async function restoreInParallel(target: Target): Promise<void> {
  const { settings, control, clients, archive, options } = target;
  const { database } = control;
  const maintenance = await connectElsewhere(settings, control, options.signal);
  const incomplete = incompleteName(database);
  let renamed = false;
  try {
    const spooled = await spool(archive, options);
    try {
      const stages = await readStages(spooled, clients, options.signal);
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
  } catch (error) {
    if (!renamed) throw error;
    const problem = explain(error, target);
    const again =
      `To try again: DROP DATABASE ${maintenance.quote(incomplete)}; ` +
      `CREATE DATABASE ${maintenance.quote(database)} TEMPLATE template0; and restore again.`;
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

/** Adds that the server is older than the archive, where it is. */
function explain(error: unknown, { archive: { clientVersion }, control }: Target): ProviderError {
  const problem = toProviderError(error);
  if (majorVersion(clientVersion) <= control.serverMajor || problem.code === "ABORTED") return problem;
  const fix =
    `pg_dump ${clientVersion} wrote the archive, and the server is the older PostgreSQL ${control.serverVersion}: ` +
    `restore into version ${majorVersion(clientVersion)} or newer.`;
  return reworded(problem, (message) => message, fix);
}

/** What a restore would do that passed all checks. */
function planOf(
  { database }: ControlConnection,
  archive: RestoreArtifact,
  roles: readonly string[],
  { jobs }: RestoreOptions,
): RestoreReport {
  const how = jobs === 1 ? "in one transaction" : `with ${jobs} jobs, under another name until it is complete`;
  const steps = [
    ...(roles.length === 0 ? [] : [`create the roles ${roles.join(", ")}, without passwords`]),
    `restore ${archive.name} (${archive.size} bytes) into ${database} ${how}`,
  ];
  return { database, objects: {}, rolesCreated: [], warnings: [], steps };
}
