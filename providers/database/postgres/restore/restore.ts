import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { abortedError, ProviderError, toProviderError } from "../../../errors.ts";
import { isArchive, type RestoreArtifact, type RestoreOptions, type RestoreReport } from "../../database.ts";
import { chooseClients, majorVersion, type ProgramDirectory } from "../programs/clients.ts";
import { connect, type ControlConnection, place, secretsOf } from "../connect/control-connection.ts";
import { databaseString, libpqEnvironment } from "../programs/libpq-environment.ts";
import { feed, type Program, runProgram } from "../programs/program.ts";
import { readRoles } from "../roles/roles-sql.ts";
import { statementsOfNewRoles } from "../roles/roles-to-create.ts";
import type { PostgresSettings } from "../settings.ts";
import { spool } from "../artifacts/spooled-archive.ts";
import { countObjects, isEmpty } from "./contents.ts";
import { withState } from "./state-after.ts";

/** What the application's name of each restore in one transaction begins with. */
const SESSION = "provision-restore-";

/** Restores a backup's artifacts into the settings' database, completely or not at all. */
export async function restorePostgres(
  settings: PostgresSettings,
  artifacts: readonly RestoreArtifact[],
  options: RestoreOptions,
): Promise<RestoreReport> {
  const archive = artifacts.find(isArchive);
  if (archive === undefined) {
    throw new ProviderError("CONFIG", "The backup holds no archive of pg_dump, so there is nothing to restore.");
  }
  const control = await connect(settings.connection, options.signal);
  try {
    const clients = await chooseClients(
      Math.max(control.serverMajor, majorVersion(archive.clientVersion)),
      `pg_dump ${archive.clientVersion} wrote the archive, and the server is PostgreSQL ${control.serverVersion}`,
      settings.clients,
    );
    const empty = await checkTarget(control, options);
    const rolesCreated = await prepareRoles(control, artifacts, options);
    if (options.dryRun === true) return await planOf(control, archive, rolesCreated, options);
    const target: Target = { settings, control, clients, archive, options };
    if (options.jobs === 1) await restoreInOneTransaction(target, empty);
    else await restoreInParallel(target);
    return await report(settings, control, rolesCreated, options);
  } finally {
    await control.close();
  }
}

/** What both ways to restore need. */
interface Target {
  readonly settings: PostgresSettings;
  readonly control: ControlConnection;
  readonly clients: ProgramDirectory;
  readonly archive: RestoreArtifact;
  readonly options: RestoreOptions;
}

async function checkTarget(control: ControlConnection, options: RestoreOptions): Promise<boolean> {
  const { database } = await nameOf(control);
  if (control.inRecovery) {
    throw new ProviderError("CONFIG", `${place(control.host)} is a standby, which cannot be restored into.`, {
      fix: "Name the primary server in the connection URL.",
    });
  }
  await refuseRestoring(control, database);
  const empty = await isEmpty(control);
  if (empty) return true;
  if (!options.allowNonEmpty) {
    throw new ProviderError("CONFLICT", `The database ${database} is not empty, so nothing was restored into it.`, {
      fix: "Restore into a new database (CREATE DATABASE … TEMPLATE template0), or allow a target that is not empty.",
    });
  }
  if (options.jobs > 1) {
    throw new ProviderError(
      "CONFIG",
      `The database ${database} is not empty, and a parallel restore cannot be undone.`,
      {
        fix: "Restore with one job, which is a single transaction, or into an empty database.",
      },
    );
  }
  return false;
}

/** A database that a restore is filling looks empty until that commits, also where its runner was killed and it lives on. */
async function refuseRestoring(control: ControlConnection, database: string): Promise<void> {
  const [other] = await control.query<{ pid: number }>(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND starts_with(application_name, $1)",
    [SESSION],
  );
  if (other === undefined) return;
  throw new ProviderError(
    "CONFLICT",
    `Another restore is filling the database ${database}: process ${other.pid} of the server.`,
    {
      fix: `Wait for its end. If its runner was killed, SELECT pg_terminate_backend(${other.pid}) ends it, and nothing of it stays.`,
    },
  );
}

/** Creates the backup's roles that the server lacks if it may, or says which they are. */
async function prepareRoles(
  control: ControlConnection,
  artifacts: readonly RestoreArtifact[],
  options: RestoreOptions,
): Promise<string[]> {
  if (options.createRoles) {
    const artifact = artifacts.find(({ format }) => format === "roles-sql");
    if (artifact === undefined) {
      throw new ProviderError("CONFIG", "The backup holds no roles, so none can be created.", {
        fix: "Create the roles by hand, or restore without owners and privileges.",
      });
    }
    const statements = await readRoles(artifact.open(options.signal));
    const existing = await existingRoles(control);
    const missing = new Set(statements.flatMap(({ roles }) => roles).filter((role) => !existing.has(role)));
    // A membership concerns two roles, and is new where one of them is. These statements go through the connection at hand
    // and not through psql, for which a file of roles could hold commands to the shell.
    const wanted = await statementsOfNewRoles(control, statements, (role) => missing.has(role));
    if (wanted.length > 0 && options.dryRun !== true) {
      await control.query(["BEGIN", ...wanted.map(({ sql }) => sql), "COMMIT"].join(";\n"));
    }
    return [...missing].sort();
  }
  if (options.noOwner) return [];
  const existing = await existingRoles(control);
  const missing = options.facts.roles.filter((role) => !existing.has(role));
  if (missing.length > 0) {
    throw new ProviderError(
      "CONFIG",
      `The server lacks roles that own or may use what is in the backup: ${missing.join(", ")}.`,
      {
        fix: "Create them first, let the restore create them from the backup, or restore without owners and privileges.",
      },
    );
  }
  return [];
}

async function existingRoles(control: ControlConnection): Promise<Set<string>> {
  const rows = await control.query<{ name: string }>("SELECT rolname AS name FROM pg_roles");
  return new Set(rows.map((row) => row.name));
}

/** Restores the archive in one transaction, which an archive that turns out damaged can never commit. */
async function restoreInOneTransaction(target: Target, wasEmpty: boolean): Promise<void> {
  const { archive, options, control, settings } = target;
  const session = `${SESSION}${randomBytes(6).toString("hex")}`;
  const { database } = await nameOf(control);
  const programOf = (...args: string[]) => restoreProgram(target, database, ["--single-transaction", ...args], session);
  try {
    if (archive.format === "pg_dump-custom") {
      await feed(programOf(), archive.open(options.signal), options.signal);
    } else {
      const spooled = await spool(archive, options);
      await runProgram(programOf(spooled.path), options.signal).finally(() => spooled.close());
    }
  } catch (error) {
    const problem = explain(error, target);
    // An aborted run has no connection left to ask with.
    throw options.signal.aborted || !wasEmpty
      ? problem
      : await withState({ settings, control, session, database, signal: options.signal }, problem);
  }
}

/**
 * Restores with several sessions, which cannot share a transaction: until it is complete, the database has another name,
 * so that nobody takes a half of it for the whole.
 */
async function restoreInParallel(target: Target): Promise<void> {
  const { settings, control, archive, options } = target;
  const { database } = await nameOf(control);
  const maintenance = await connectElsewhere(settings, control, options.signal);
  const incomplete = incompleteName(database);
  let renamed = false;
  try {
    const spooled = await spool(archive, options);
    try {
      // A database cannot be renamed while somebody is connected to it.
      await control.close();
      await rename(maintenance, database, incomplete, options.signal);
      renamed = true;
      const args = [`--jobs=${options.jobs}`, spooled.path];
      const program = restoreProgram(target, incomplete, args, "provision");
      await runProgram(program, options.signal, spooled.descriptor);
    } finally {
      await spooled.close();
    }
    await rename(maintenance, incomplete, database, options.signal);
  } catch (error) {
    if (!renamed) throw error;
    const problem = explain(error, target);
    throw new ProviderError(
      problem.code,
      `The restore failed, and what it got done is in the database ${incomplete}; none is named ${database} now. ${problem.message}`,
      {
        cause: error,
        fix:
          `${problem.fix === undefined ? "" : `${problem.fix} `}To try again: DROP DATABASE ${maintenance.quote(incomplete)}; ` +
          `CREATE DATABASE ${maintenance.quote(database)} TEMPLATE template0; and restore again.`,
      },
    );
  } finally {
    await maintenance.close();
  }
}

/** The name with a mark and a random end, cut so that all of it has the 63 bytes that a name may have. */
function incompleteName(database: string): string {
  const end = `_incomplete_${randomBytes(4).toString("hex")}`;
  const characters = Array.from(database);
  while (Buffer.byteLength(characters.join("") + end) > 63) characters.pop();
  return characters.join("") + end;
}

/** A connection to one of the databases that every server has, on the same server. */
async function connectElsewhere(
  { connection }: PostgresSettings,
  control: ControlConnection,
  signal: AbortSignal,
): Promise<ControlConnection> {
  const { database } = await nameOf(control);
  const candidates = ["postgres", "template1"].filter((name) => name !== database);
  for (const [index, name] of candidates.entries()) {
    try {
      return await connect(connection, signal, { database: name, host: control.host });
    } catch (error) {
      if (signal.aborted || index === candidates.length - 1) throw error;
    }
  }
  throw new ProviderError("INTERNAL", "There is no database to connect to.");
}

async function rename(maintenance: ControlConnection, from: string, to: string, signal: AbortSignal): Promise<void> {
  const statement = `ALTER DATABASE ${maintenance.quote(from)} RENAME TO ${maintenance.quote(to)}`;
  for (let tries = 1; ; tries += 1) {
    try {
      await maintenance.query(statement);
      return;
    } catch (error) {
      // The sessions of programs that have just ended need a moment to go.
      const busy = error instanceof ProviderError && error.message.includes("is being accessed by other users");
      if (busy && tries < 20) {
        await delay(250);
        continue;
      }
      if (signal.aborted) throw abortedError(signal);
      const { code, message } = toProviderError(error);
      throw new ProviderError(busy ? "CONFLICT" : code, message, {
        cause: error,
        fix: busy
          ? "Close the other sessions of that database (pg_stat_activity lists them)."
          : "A parallel restore renames the database: the role must own it and have CREATEDB. Else restore with one job.",
      });
    }
  }
}

function restoreProgram(target: Target, database: string, args: readonly string[], applicationName: string): Program {
  const { settings, control, clients, options } = target;
  return {
    clients,
    name: "pg_restore",
    args: [
      `--dbname=${databaseString(database)}`,
      "--exit-on-error",
      "--no-password",
      ...(options.noOwner ? ["--no-owner", "--no-privileges"] : []),
      ...(options.noTablespaces === true ? ["--no-tablespaces"] : []),
      ...args,
    ],
    env: libpqEnvironment(settings.connection, control.host, clients, applicationName),
    secrets: secretsOf(settings.connection),
    otherwise: "INTERNAL",
  };
}

/** Says what the versions have to do with a failure, where they may. */
function explain(error: unknown, { archive, control }: Target): ProviderError {
  const problem = toProviderError(error);
  if (majorVersion(archive.clientVersion) <= control.serverMajor || problem.code === "ABORTED") return problem;
  return new ProviderError(problem.code, problem.message, {
    cause: error,
    fix:
      `pg_dump ${archive.clientVersion} wrote the archive, and the server is the older PostgreSQL ${control.serverVersion}: ` +
      `restore into version ${majorVersion(archive.clientVersion)} or newer.`,
  });
}

async function report(
  settings: PostgresSettings,
  control: ControlConnection,
  rolesCreated: readonly string[],
  options: RestoreOptions,
): Promise<RestoreReport> {
  const after = await connect(settings.connection, options.signal, { host: control.host });
  try {
    const { database } = await nameOf(after);
    const warnings = options.noOwner
      ? ["Owners and privileges were not restored: everything belongs to the connecting role."]
      : [];
    return { database, objects: await countObjects(after), rolesCreated, warnings };
  } finally {
    await after.close();
  }
}

/** What a restore would do that passed all checks. */
async function planOf(
  control: ControlConnection,
  archive: RestoreArtifact,
  rolesToCreate: readonly string[],
  options: RestoreOptions,
): Promise<RestoreReport> {
  const { database } = await nameOf(control);
  const roles = rolesToCreate.length === 0 ? [] : [`create the roles ${rolesToCreate.join(", ")}, without passwords`];
  const how =
    options.jobs === 1 ? "in one transaction" : `with ${options.jobs} jobs, under another name until all is there`;
  const steps = [...roles, `restore ${archive.name} (${archive.size} bytes) into ${database} ${how}`];
  return { database, objects: {}, rolesCreated: [], warnings: [], steps };
}

async function nameOf(control: ControlConnection): Promise<{ database: string }> {
  const [row] = await control.query<{ database: string }>("SELECT current_database() AS database");
  if (row === undefined) throw new ProviderError("INTERNAL", "current_database() gave no row.");
  return row;
}
