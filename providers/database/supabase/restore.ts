import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { ProviderError, toProviderError } from "../../errors.ts";
import type { RestoreArtifact, RestoreOptions, RestoreReport } from "../database.ts";
import { chooseClients, majorVersion, type ProgramDirectory } from "../postgres/programs/clients.ts";
import { countObjects } from "../postgres/restore/contents.ts";
import { connect, type ControlConnection, secretsOf } from "../postgres/connect/control-connection.ts";
import { databaseString, libpqEnvironment } from "../postgres/programs/libpq-environment.ts";
import { feed, type Program, readHead, readThrough } from "../postgres/programs/program.ts";
import type { PostgresSettings } from "../postgres/settings.ts";
import { readPart, wholePart } from "../postgres/artifacts/sql-artifact.ts";
import { platformScope } from "./backup.ts";
import { compareInventories, type ProjectComparison } from "./compare.ts";
import { readInventory, takeInventory } from "./inventory.ts";
import { platformRoles } from "./platform.ts";
import { refusable, RestoreMessages } from "./refusable.ts";
import {
  becomeMember,
  createInOwnSchemas,
  sequence,
  takeMembershipsBack,
  withoutCommands,
  withoutTransaction,
} from "./script.ts";
import { type RolesToCreate, rolesToCreate } from "./restore-roles.ts";
import { defaultPrivilegesNow, noDefaultPrivileges } from "./statements.ts";
import { checkTarget, requireConfirmation, targetReference } from "./target.ts";
import { noTimeouts } from "./timeouts.ts";
import { chooseEntries, parseToc, type TocEntry } from "./toc.ts";

/** What no restore brings back, whatever the backup holds. */
const neverRestored: readonly string[] = [
  "passwords of roles: no backup has them; set those of your own roles again (ALTER ROLE … PASSWORD)",
  "settings of roles that every project has (ALTER ROLE authenticator SET …): roles.sql has them",
  "the platform's lists of its own migrations (auth.schema_migrations, storage.migrations)",
  "messages of Realtime, the history of pg_cron's runs, and requests of pg_net",
  "files in Storage: only their rows are in the database",
  "what the dashboard keeps outside of the database: API keys, the JWT secret, settings of Auth, Edge Functions",
];

/** The only errors that do not end a restore, for its plan. */
const allowedErrors =
  "errors that do not end it, each of which is shown: an extension or its version that the server does not have; policies and triggers " +
  "on the platform's tables that are there already; privileges on objects that the platform's version does not have or does not let " +
  "postgres give; event triggers, and attributes, settings and memberships of roles, that only a superuser may make";

/** Before the number of a step, where psql says that it begins. */
const stepMark = "provision-step";
const stepLine = new RegExp(`^${stepMark} (\\d+)$`);

/** How refusals begin after which objects of a kind may be missing, and the kind. */
const mayBeMissing: Readonly<Record<string, string>> = {
  "EVENT TRIGGER": "event trigger",
  "the extension": "extension",
};

/**
 * Restores a backup of a project into another, new one, in one transaction: completely or not at all.
 *
 * All of it is one script that psql runs in one session: statements of the backup's parts, and between them what pg_restore
 * makes of the archive. So all of it commits together, and a session's settings hold for what needs them.
 */
export async function restoreProject(
  settings: PostgresSettings,
  artifacts: readonly RestoreArtifact[],
  options: RestoreOptions,
): Promise<RestoreReport> {
  const archive = artifacts.find(({ format }) => format === "pg_dump-custom");
  if (archive === undefined) {
    throw new ProviderError("CONFIG", "The backup holds no archive of pg_dump, so there is nothing to restore.");
  }
  if (options.jobs > 1) {
    throw new ProviderError("CONFIG", "A project is restored in one transaction, which only one job can do.", {
      fix: "Leave --jobs out.",
    });
  }
  const control = await connect(settings.connection, options.signal);
  try {
    await control.query(noTimeouts(control.serverMajor).join("; "));
    await checkTarget(control, options);
    if (options.dryRun !== true) requireConfirmation(settings.connection, options.confirm);
    const clients = await chooseClients(
      Math.max(control.serverMajor, majorVersion(archive.clientVersion)),
      `pg_dump ${archive.clientVersion} wrote the archive, and the server is PostgreSQL ${control.serverVersion}`,
      settings.clients,
    );
    const restore = new ProjectRestore({ settings, control, clients, archive, artifacts, options });
    return await restore.go();
  } finally {
    await control.close();
  }
}

/** What {@link ProjectRestore} works with. */
interface Parts {
  readonly settings: PostgresSettings;
  readonly control: ControlConnection;
  readonly clients: ProgramDirectory;
  readonly archive: RestoreArtifact;
  readonly artifacts: readonly RestoreArtifact[];
  readonly options: RestoreOptions;
}

/** Compares the target with the backup. */
type Compare = (control: ControlConnection, messages: RestoreMessages) => Promise<ProjectComparison>;

/** One step of the script. */
interface Step {
  readonly title: string;
  /** As the role that logs in, which may be a superuser, and not as `postgres`. */
  readonly asLogin?: boolean;
  readonly text: () => AsyncIterable<Buffer | string> | Iterable<Buffer | string>;
}

class ProjectRestore {
  readonly #parts: Parts;
  readonly #steps: Step[] = [];
  readonly #leftOut: string[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async go(): Promise<RestoreReport> {
    const { control, options, settings, artifacts } = this.#parts;
    const roles = await rolesToCreate(control, artifacts, options);
    await this.#plan(roles);
    const common = {
      database: targetReference(settings.connection),
      steps: [...this.#steps.map(({ title }) => title), ...(options.dryRun === true ? [allowedErrors] : [])],
      leftOut: [...this.#leftOut, ...neverRestored],
      warnings: options.noOwner ? ["Owners and privileges were not restored: everything belongs to postgres."] : [],
    };
    if (options.dryRun === true) return { ...common, objects: {}, rolesCreated: [] };
    // What the comparison needs must be readable before anything is changed.
    const compare = await this.#comparison();
    const messages = await this.#run();
    const { refused } = messages;
    const warnings = [...common.warnings, ...messages.warnings];
    return { ...common, rolesCreated: roles.names, refused, warnings, ...(await this.#look(compare, messages)) };
  }

  /** Looks at what is there now, over a new connection: the first has been silent for as long as everything took. */
  async #look(
    compare: Compare,
    messages: RestoreMessages,
  ): Promise<ProjectComparison & Pick<RestoreReport, "objects">> {
    const { settings, control, options } = this.#parts;
    try {
      const after = await connect(settings.connection, options.signal, { host: control.host });
      try {
        await after.query(noTimeouts(after.serverMajor).join("; "));
        return { ...(await compare(after, messages)), objects: await countObjects(after) };
      } finally {
        await after.close();
      }
    } catch (error) {
      const { code, message, fix } = toProviderError(error);
      throw new ProviderError(code, `The project was restored, but could not be compared with the backup. ${message}`, {
        cause: error,
        ...(fix === undefined ? {} : { fix }),
      });
    }
  }

  async #plan(roles: RolesToCreate): Promise<void> {
    const { archive, options, control } = this.#parts;
    const { output, head } = await readHead(this.#pgRestore(["--list"]), archive.open(options.signal), options.signal);
    const chosen = chooseEntries(parseToc(output));
    for (const [reason, count] of chosen.leftOut) this.#leftOut.push(`${reason} (${count})`);

    this.#statements("roles", roles.statements, { asLogin: true });
    await this.#part("extensions.sql", "extensions", (sql) => {
      const name = /^CREATE EXTENSION IF NOT EXISTS (\S+)/.exec(sql)?.[1] ?? "";
      // Another version than the backup's will do. Without an extension that the platform has given up, what needs it fails.
      const anyVersion = sql.replace(/ VERSION '[^']*'/, "");
      const created = refusable(sql, `the version of the extension ${name}`, ["22023"], anyVersion);
      return refusable(created, `the extension ${name}`, ["0A000", "58P01"]);
    });
    const opened = await control.query<{ sql: string }>(noDefaultPrivileges);
    this.#statements(
      "default privileges of the new project, taken away so that what is restored is open to nobody else",
      opened.map(({ sql }) => sql),
    );
    const definitions = this.#entries(chosen.definitions, () => Readable.from([head]));
    this.#steps.push({
      title: `definitions: ${chosen.definitions.length} entries of database.dump`,
      text: definitions,
    });
    this.#steps.push({
      title:
        `rows, then indexes, constraints, triggers and policies: ${chosen.dataAndRest.length} entries of database.dump, with ` +
        "session_replication_role = replica, so that no trigger of auth or storage changes a row",
      text: () =>
        sequence(
          "SET session_replication_role = replica;\n",
          this.#entries(chosen.dataAndRest, () => archive.open(options.signal))(),
          "SET session_replication_role = origin;\n",
        ),
    });
    if (chosen.largeObjects.length > 0) {
      const largeObjects = this.#entries(chosen.largeObjects, () => archive.open(options.signal));
      this.#steps.push({ title: "large objects", text: () => withoutTransaction(largeObjects()) });
    }
    let owners: readonly string[] = [];
    if (!options.noOwner) {
      owners = await this.#owners();
      const privileges = this.#entries(chosen.privileges, () => Readable.from([head]));
      this.#steps.push({ title: `privileges: ${chosen.privileges.length} entries of database.dump`, text: privileges });
    }
    this.#rows("queues.sql", "queues and their messages");
    await this.#part("cron.sql", "jobs of pg_cron");
    this.#rows("vault.sql", "secrets of Vault");
    await this.#part("platform-objects.sql", "policies and triggers on tables of the platform", (sql) => {
      const name = /^CREATE (?:POLICY|TRIGGER) .*? ON \S+/.exec(sql)?.[0].slice("CREATE ".length) ?? sql;
      return refusable(sql, name, ["42710"]);
    });
    await this.#part("publications.sql", "tables in the platform's publications");
    if (!options.noOwner) {
      await this.#part("grants.sql", "privileges on objects of the platform", (sql) =>
        // What the platform's version does not have, or does not let postgres give.
        refusable(sql, sql, ["42501", "3F000", "42P01", "42883", "42703"]),
      );
    }
    await this.#part(
      "event-triggers.sql",
      "event triggers",
      (sql) =>
        // A plain server lets only a superuser make them.
        refusable(sql, sql.slice(0, sql.indexOf(" ON ")).replace("CREATE ", ""), ["42501", "42704"]),
      { asLogin: true },
    );
    if (options.noOwner) {
      const before = await control.query<{ sql: string }>(defaultPrivilegesNow);
      this.#statements(
        "default privileges of the new project, put back",
        before.map(({ sql }) => sql),
      );
    } else {
      await this.#part("default-privileges.sql", "default privileges, as the backup has them");
    }
    if (owners.length > 0)
      this.#statements("what made postgres a member of the owners, taken back", [takeMembershipsBack], {
        asLogin: true,
        count: owners.length,
      });
  }

  /**
   * Restored objects are postgres's; then each goes to the owner that it had. Those of the platform's roles stay.
   *
   * @returns the owners, of which postgres is a member from then on
   */
  async #owners(): Promise<readonly string[]> {
    const { serverMajor } = this.#parts.control;
    const owners = new Set<string>();
    let mapped = 0;
    const statements = await this.#read("owners.sql", (sql) => {
      const owner = /OWNER TO ("(?:[^"]|"")+"|\S+)$/.exec(sql)?.[1] ?? "";
      if (!platformRoles.includes(owner)) {
        owners.add(owner);
        return sql;
      }
      mapped += 1;
      return undefined;
    });
    const toAll = (verb: "GRANT" | "REVOKE"): string[] => [...owners].map((owner) => createInOwnSchemas(verb, owner));
    // A new owner must be able to create in the schema. The privileges that follow say whether it may afterwards.
    if (owners.size > 0) {
      const title = "postgres as a member of the owners, for the time being";
      this.#statements(title, [becomeMember([...owners], serverMajor)], { asLogin: true, count: owners.size });
    }
    const { length } = statements;
    this.#statements("owners", [...toAll("GRANT"), ...statements, ...toAll("REVOKE")], { count: length });
    if (mapped > 0)
      this.#leftOut.push(`the platform's roles as owners of your objects: ${mapped} belong to postgres now`);
    return [...owners];
  }

  /** Adds a part of single statements as a step; a backup may be without it. */
  async #part(
    name: string,
    title: string,
    change?: (sql: string) => string,
    options?: Pick<Step, "asLogin">,
  ): Promise<void> {
    this.#statements(title, await this.#read(name, change), options);
  }

  async #read(name: string, change: (sql: string) => string | undefined = (sql) => sql): Promise<string[]> {
    const { artifacts, options } = this.#parts;
    const artifact = artifacts.find((each) => each.name === name);
    if (artifact === undefined) return [];
    return (await readPart(name, artifact.open(options.signal))).flatMap((sql) => change(sql) ?? []);
  }

  #statements(
    title: string,
    statements: readonly string[],
    { asLogin = false, count = statements.length }: { readonly asLogin?: boolean; readonly count?: number } = {},
  ): void {
    if (statements.length === 0) return;
    this.#steps.push({ title: `${title}: ${count}`, asLogin, text: () => statements.map((sql) => `${sql};\n`) });
  }

  #rows(name: string, title: string): void {
    const { artifacts, options } = this.#parts;
    const artifact = artifacts.find((each) => each.name === name);
    if (artifact === undefined) return;
    const { version } = this.#parts.clients;
    this.#steps.push({ title, text: () => withoutCommands(version, wholePart(name, artifact.open(options.signal))) });
  }

  /** What pg_restore writes for some of the archive's entries. */
  #entries(entries: readonly TocEntry[], open: () => Readable): () => AsyncIterable<Buffer> {
    const { options } = this.#parts;
    const restore = (args: readonly string[]): Program => this.#pgRestore(args);
    return async function* () {
      if (entries.length === 0) return;
      // The names in the list are no secret, but nobody else's business either.
      const folder = await mkdtemp(join(options.scratchDirectory, "provision-entries-"));
      try {
        const list = join(folder, "list");
        await writeFile(list, entries.map(({ line }) => `${line}\n`).join(""), { mode: 0o600 });
        const args = ["--file=-", `--use-list=${list}`, "--no-owner", "--no-tablespaces"];
        yield* readThrough(restore(args), open(), options.signal) as AsyncIterable<Buffer>;
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    };
  }

  /** Runs the script to its end, and gives what the server said to it. */
  async #run(): Promise<RestoreMessages> {
    const { settings, control, clients, options } = this.#parts;
    const { connection } = settings;
    const steps = this.#steps;
    let written = "the beginning";
    let reached = written;
    const script = async function* (): AsyncGenerator<Buffer | string> {
      yield (
        `${noTimeouts(control.serverMajor).join(";\n")};\nBEGIN;\n` +
        "SET client_min_messages = warning;\nSET standard_conforming_strings = on;\nSET search_path = '';\n" +
        // Whatever ended this transaction on the way would show at the end, where the table is missed.
        "CREATE TEMPORARY TABLE provision_restore () ON COMMIT DROP;\n"
      );
      for (const [index, { title, text, asLogin = false }] of steps.entries()) {
        written = title;
        // psql says itself which step it is at: it is far behind what is written to it.
        yield `\\warn ${stepMark} ${index}\n`;
        // As a superuser everything is postgres's all the same, but for what only a superuser may do.
        yield asLogin ? "RESET ROLE;\n" : "SET ROLE postgres;\n";
        yield* text();
      }
      yield `\\warn ${stepMark} ${steps.length}\nRESET ROLE;\nDROP TABLE pg_temp.provision_restore;\nNOTIFY pgrst, 'reload schema';\nCOMMIT;\n`;
    };
    const messages = new RestoreMessages(Object.keys(mayBeMissing));
    const psql: Program = {
      clients,
      name: "psql",
      args: [
        `--dbname=${databaseString(connection.database)}`,
        "--no-psqlrc",
        "--no-password",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        // With SQLSTATEs and names of their own; whatever else there is does not pass.
        "--set=VERBOSITY=verbose",
        "--file=-",
      ],
      env: libpqEnvironment(connection, control.host, clients),
      secrets: secretsOf(connection),
      otherwise: "INTERNAL",
      tables: new Set(options.facts.tables.map(({ name }) => name)),
      onMessage: (line) => {
        const [, index] = stepLine.exec(line) ?? [];
        if (index === undefined) messages.take(line);
        else reached = steps[Number(index)]?.title ?? "the end";
      },
    };
    try {
      await feed(psql, Readable.from(script(), { objectMode: false }), options.signal);
      return messages;
    } catch (error) {
      const problem = toProviderError(error);
      if (problem.code === "ABORTED") throw problem;
      const fix = problem.fix ?? "Nothing was restored. Correct the cause in a new project, and restore again.";
      const { message } = problem;
      // Of psql's own errors it knows the step; others come from what was being read for it.
      const step = message.startsWith("psql ") ? reached : written;
      throw new ProviderError(problem.code, `Nothing was restored; in the step "${step}": ${message}`, {
        cause: error,
        fix,
      });
    }
  }

  /** Reads what the backup says of its project, and gives what compares that with the target. */
  async #comparison(): Promise<Compare> {
    const { artifacts, options } = this.#parts;
    const artifact = artifacts.find(({ format }) => format === "inventory");
    if (artifact === undefined) {
      const compared = ["nothing was compared: the backup has no inventory"];
      return () => Promise.resolve({ compared, differences: [] });
    }
    const backup = await readInventory(artifact.name, artifact.open(options.signal));
    return async (control, messages) => {
      await control.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = ''");
      const restored = await takeInventory(control, await platformScope(control));
      await control.query("COMMIT");
      const without = Object.entries(mayBeMissing).flatMap(([what, kind]) => (messages.hasRefused(what) ? [kind] : []));
      return compareInventories(backup, restored, without, options.noOwner);
    };
  }

  #pgRestore(args: readonly string[]): Program {
    const { clients } = this.#parts;
    return {
      clients,
      name: "pg_restore",
      args,
      env: { PATH: process.env.PATH ?? "", LC_ALL: "C" },
      secrets: [],
      otherwise: "INTEGRITY",
    };
  }
}
