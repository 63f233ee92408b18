import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { ProviderError } from "../../errors.ts";
import { counted } from "../../fields/sizes.ts";
import type { RestoreArtifact } from "../database.ts";
import { makeScratchFolder } from "../postgres/artifacts/scratch-folder.ts";
import { readPart, wholePart } from "../postgres/artifacts/sql-artifact.ts";
import { parseToc, type TocEntry } from "../postgres/artifacts/toc.ts";
import { someOf } from "../postgres/scope/scope.ts";
import { archiveReader, readHead, readThrough } from "../postgres/programs/program.ts";
import { COLUMNS_PART, TABLES_PART } from "./own-definitions.ts";
import { addsColumn, type ColumnDifferences, ifPossible, requireColumns, rowsWithout } from "./platform-columns.ts";
import { PLATFORM_ROLES } from "./platform.ts";
import { onPlatformTable, platformObjectsOrNot, tableOf } from "./platform-objects.ts";
import { refusable } from "./refusable.ts";
import {
  becomeMember,
  createInOwnSchemas,
  type ProjectRestore,
  sequence,
  type Step,
  TAKE_MEMBERSHIPS_BACK,
  withoutCommands,
  withoutTransaction,
} from "./restore-script.ts";
import { DEFAULT_PRIVILEGES_NOW, NO_DEFAULT_PRIVILEGES } from "./statements.ts";
import { type Choice, chooseEntries } from "./toc.ts";

/** What a restore of a project does. */
interface Plan {
  readonly steps: readonly Step[];
  /** What of the backup is not restored, and why, one sentence each. */
  readonly leftOut: readonly string[];
  /** Tables and sequences in the platform's schemas that are not restored: people's own, and what its later migrations removed. */
  readonly withoutTables: readonly string[];
}

/** A statement as the restore runs it; undefined where it leaves it out. */
type Change = (sql: string) => string | undefined;

/** A comment, or a statement about privileges: names in them may hold anything. */
const PRIVILEGES = /^--.*$|((?:GRANT|REVOKE|SET|RESET) (?:"[^"]*"|'[^']*'|[^"';])+);/gm;
const OWNER = /OWNER TO ("(?:[^"]|"")+"|\S+)$/;
const EVENT_TRIGGER = /EVENT TRIGGER (?:"(?:[^"]|"")+"|\S+)/;

/**
 * Plans the restore of a project: statements of the backup's artifacts, and between them what pg_restore makes of the archive.
 *
 * @param roles the statements that create the roles which the target lacks
 * @throws {ProviderError} `CONFLICT` where the target's platform lacks columns that the backup has rows of
 */
export async function planRestore(restore: ProjectRestore, roles: readonly string[]): Promise<Plan> {
  const { noOwner } = restore.options;
  const plan = new Planning(restore);
  const archive = await openEntries(restore);
  requireExtensions(archive.chosen);
  const differences = await requireColumns(
    restore.control,
    archive.fromHead(archive.chosen.platformTables),
    await plan.read(COLUMNS_PART.name, (sql) => sql),
  );
  plan.leaveOut(differences);
  plan.withoutTables.push(...archive.chosen.ownTables);
  for (const [reason, count] of archive.chosen.leftOut) plan.leftOut.push(`${reason} (${count})`);
  plan.add("roles", roles, true);
  await addExtensions(plan, archive.chosen.lacking);
  await plan.addQuery(
    "default privileges of the new project, revoked so that nobody else can use what is restored",
    NO_DEFAULT_PRIVILEGES,
  );
  await addArchive(plan, archive, differences);
  const owners = noOwner ? 0 : await addOwners(plan);
  if (!noOwner) {
    const { privileges, lacking } = archive.chosen;
    const granted = () => archive.fromHead(privileges);
    plan.steps.push({
      title: `privileges: ${counted(privileges.length, "entry")} of database.dump`,
      // Objects of extensions may have some, too.
      text: lacking.length === 0 ? granted : () => eachIfPossible(granted()),
    });
  }
  await addPlatformParts(plan, noOwner);
  if (noOwner) await plan.addQuery("default privileges of the new project, granted again", DEFAULT_PRIVILEGES_NOW);
  else await plan.addPart("default-privileges.sql", "default privileges, as the backup has them");
  if (owners > 0) plan.add("memberships of postgres in the owners, revoked", [TAKE_MEMBERSHIPS_BACK], true, owners);
  return plan;
}

/** A plan in the making. */
class Planning implements Plan {
  readonly steps: Step[] = [];
  readonly leftOut: string[] = [];
  readonly withoutTables: string[] = [];
  #removed: ReadonlySet<string> = new Set();
  readonly restore: ProjectRestore;

  constructor(restore: ProjectRestore) {
    this.restore = restore;
  }

  leaveOut({ tables, columns }: ColumnDifferences): void {
    this.#removed = tables;
    this.withoutTables.push(...tables);
    const names = [...columns].flatMap(([table, some]) => some.map((column) => `${table}.${column}`));
    for (const [what, some] of Object.entries({ tables: [...tables], columns: names })) {
      if (some.length > 0)
        this.leftOut.push(`${what} that the target's newer Auth or Storage has removed: ${some.join(", ")}`);
    }
  }

  /** Adds a step of single statements, if there are any. */
  add(title: string, statements: readonly string[], asLogin = false, count = statements.length): void {
    if (statements.length === 0) return;
    this.steps.push({ title: `${title}: ${count}`, asLogin, text: () => statements.map((sql) => `${sql};\n`) });
  }

  /** The statements of an artifact, but for those about tables that the target's platform has removed; none where the backup lacks it. */
  async read(name: string, change: Change): Promise<string[]> {
    const artifact = this.#artifact(name);
    if (artifact === undefined) return [];
    return (await readPart(name, artifact.open(this.restore.options.signal))).flatMap((sql) =>
      this.#removed.has(tableOf(sql)) ? [] : (change(sql) ?? []),
    );
  }

  /** Adds the statements of an artifact. */
  async addPart(name: string, title: string, change: Change = (sql) => sql, asLogin = false): Promise<void> {
    this.add(title, await this.read(name, change), asLogin);
  }

  /** Adds an artifact that has rows between its statements. */
  addRows(name: string, title: string): void {
    const artifact = this.#artifact(name);
    if (artifact === undefined) return;
    const { clients, options } = this.restore;
    this.steps.push({
      title,
      text: () => withoutCommands(clients.version, wholePart(name, artifact.open(options.signal))),
    });
  }

  /** Adds the statements that a query on the target gives. */
  async addQuery(title: string, query: string): Promise<void> {
    const rows = await this.restore.control.query<{ sql: string }>(query);
    this.add(
      title,
      rows.map(({ sql }) => sql),
    );
  }

  #artifact(name: string): RestoreArtifact | undefined {
    return this.restore.artifacts.find((each) => each.name === name);
  }
}

/** The archive's entries that are restored, and the SQL of some of them. */
interface Entries {
  readonly chosen: Choice;
  /** For entries without rows: the archive's beginning has them. */
  readonly fromHead: (entries: readonly TocEntry[]) => AsyncGenerator<Buffer>;
  readonly fromAll: (entries: readonly TocEntry[]) => AsyncGenerator<Buffer>;
}

async function openEntries(restore: ProjectRestore): Promise<Entries> {
  const { archive, clients, control, options } = restore;
  const extensions = await control.query<{ name: string }>(
    "SELECT name FROM pg_available_extensions UNION SELECT extname FROM pg_extension",
  );
  const { output, head } = await readHead(
    archiveReader(clients, ["--list", "--verbose"]),
    archive.open(options.signal),
    options.signal,
  );
  return {
    chosen: chooseEntries(parseToc(output), new Set(extensions.map(({ name }) => name))),
    fromHead: (entries) => sqlOf(restore, entries, () => Readable.from([head])),
    fromAll: (entries) => sqlOf(restore, entries, () => archive.open(options.signal)),
  };
}

/** @throws {ProviderError} `CONFLICT` where the archive needs extensions that the target's server does not have */
function requireExtensions({ lacking, needing }: Choice): void {
  if (needing.length === 0) return;
  throw new ProviderError(
    "CONFLICT",
    `The target's server lacks the extensions ${lacking.join(", ")}, and the backup has what needs them: ` +
      `${someOf(needing.map((name) => ({ name })))}. Nothing was restored.`,
    {
      fix:
        "Restore into a project whose dashboard lists them (Database > Extensions): create it with the source's version of PostgreSQL; " +
        "self-hosted, use the source's version of supabase/postgres.",
    },
  );
}

/** Adds the extensions. Of those in a schema of the project's own, the archive alone has the ones that the server does not lack. */
async function addExtensions(plan: Planning, lacking: readonly string[]): Promise<void> {
  const given = await plan.read("extensions.sql", (sql) => (lacking.includes(extensionOf(sql)) ? undefined : sql));
  const statements = [...given, ...lacking.map((name) => `CREATE EXTENSION IF NOT EXISTS ${name}`)];
  const title = lacking.length === 0 ? "extensions" : `extensions, of which the server lacks ${lacking.join(", ")}`;
  plan.add(title, statements.map(extensionOrNot));
}

async function addArchive(
  plan: Planning,
  { chosen, fromHead, fromAll }: Entries,
  { tables, columns, added }: ColumnDifferences,
): Promise<void> {
  const { steps } = plan;
  // Definitions may need them, and they may need definitions.
  await plan.addPart(COLUMNS_PART.name, `${COLUMNS_PART.title}, as far as they need nothing of yours`, (sql) =>
    added.has(sql) ? ifPossible(sql) : undefined,
  );
  steps.push({
    title: `definitions: ${counted(chosen.definitions.length, "entry")} of database.dump`,
    text: () => fromHead(chosen.definitions),
  });
  await plan.addPart(COLUMNS_PART.name, COLUMNS_PART.title, (sql) => {
    if (addsColumn(sql)) return added.has(sql) ? sql : undefined;
    return onPlatformTable(sql, COLUMNS_PART.name);
  });
  const isOf = (names: ReadonlySet<string> | ReadonlyMap<string, unknown>, { kind, schema, rest }: TocEntry): boolean =>
    kind === "TABLE DATA" && names.has(`${schema ?? ""}.${rest.slice(0, rest.lastIndexOf(" "))}`);
  const [changed, others] = [true, false].map((some) =>
    chosen.dataAndRest.filter((entry) => !isOf(tables, entry) && isOf(columns, entry) === some),
  );
  const asReplica = (rows: AsyncIterable<Buffer | string>) =>
    sequence("SET session_replication_role = replica;\n", rows, "SET session_replication_role = origin;\n");
  for (const entry of changed ?? []) {
    const table = [...columns.keys()].find((name) => isOf(new Set([name]), entry)) ?? "";
    steps.push({
      title: `rows of ${table}, by way of a temporary table`,
      text: () => asReplica(rowsWithout(columns.get(table) ?? [], fromAll([entry]))),
    });
  }
  steps.push({
    title:
      `rows, then indexes, constraints, triggers and policies: ${counted(others?.length ?? 0, "entry")} of database.dump, with ` +
      "session_replication_role = replica, so that no trigger of auth or storage changes a row",
    text: () => asReplica(fromAll(others ?? [])),
  });
  if (chosen.largeObjects.length > 0) {
    steps.push({ title: "large objects", text: () => withoutTransaction(fromAll(chosen.largeObjects)) });
  }
}

/** Adds the owners, and gives the number of roles of which `postgres` is a temporary member until the end. */
async function addOwners(plan: Planning): Promise<number> {
  const owners = new Set<string>();
  let mapped = 0;
  const statements = await plan.read("owners.sql", (sql) => {
    const owner = OWNER.exec(sql)?.[1] ?? "";
    if (!PLATFORM_ROLES.includes(owner)) {
      owners.add(owner);
      return sql;
    }
    mapped += 1;
    return undefined;
  });
  // A new owner must be able to create in the schema. The privileges that follow say whether it may afterwards.
  if (owners.size > 0) {
    plan.add(
      "postgres as a temporary member of the owners",
      [becomeMember([...owners], plan.restore.control.serverMajor)],
      true,
      owners.size,
    );
  }
  const toAll = (verb: "GRANT" | "REVOKE"): string[] => [...owners].map((owner) => createInOwnSchemas(verb, owner));
  plan.add("owners", [...toAll("GRANT"), ...statements, ...toAll("REVOKE")], false, statements.length);
  if (mapped > 0) plan.leftOut.push(`the platform's roles as owners of your objects: ${mapped} belong to postgres now`);
  return owners.size;
}

/** Adds what people keep in the platform's schemas: queues, jobs, secrets, and objects on its tables. */
async function addPlatformParts(plan: Planning, noOwner: boolean): Promise<void> {
  plan.addRows("queues.sql", "queues and their messages");
  await plan.addPart("cron.sql", "jobs of pg_cron");
  plan.addRows("vault.sql", "secrets of Vault");
  await plan.addPart(TABLES_PART.name, TABLES_PART.title, (sql) => onPlatformTable(sql, TABLES_PART.name));
  const objects = await plan.read("platform-objects.sql", (sql) => sql);
  plan.add("policies and triggers on tables of the platform", platformObjectsOrNot(objects), false, objects.length);
  await plan.addPart("publications.sql", "tables in the platform's publications");
  if (!noOwner) {
    // What the platform's version does not have, or does not let postgres grant.
    await plan.addPart("grants.sql", "privileges on objects of the platform", (sql) =>
      refusable(sql, sql, ["42501", "3F000", "42P01", "42883", "42703"]),
    );
  }
  // A plain server lets only a superuser create them.
  const eventTriggerOrNot: Change = (sql) =>
    refusable(sql, EVENT_TRIGGER.exec(sql)?.[0] ?? sql, ["42501", "42704"], { kind: "event trigger" });
  await plan.addPart("event-triggers.sql", "event triggers", eventTriggerOrNot, true);
}

/** Another version than the backup's is accepted, and that the server lacks an extension: nothing in the archive needs it. */
function extensionOrNot(sql: string): string {
  const name = extensionOf(sql);
  const instead = sql.replace(/ VERSION '[^']*'/, "");
  const created = refusable(sql, `the version of the extension ${name}`, ["22023"], { instead });
  return refusable(created, `the extension ${name}`, ["0A000", "58P01"], { kind: "extension", object: name });
}

function extensionOf(sql: string): string {
  return /^CREATE EXTENSION IF NOT EXISTS (\S+)/.exec(sql)?.[1] ?? "";
}

/** Privileges as pg_restore writes them, but for those on what the server does not have. */
async function* eachIfPossible(script: AsyncIterable<Buffer>): AsyncGenerator<string> {
  for (const [, sql] of (await text(script)).matchAll(PRIVILEGES)) if (sql !== undefined) yield `${ifPossible(sql)};\n`;
}

/** The SQL that pg_restore makes of some of the archive's entries. */
async function* sqlOf(
  { clients, options }: ProjectRestore,
  entries: readonly TocEntry[],
  open: () => Readable,
): AsyncGenerator<Buffer> {
  if (entries.length === 0) return;
  const folder = await makeScratchFolder(options.scratchDirectory);
  try {
    const list = join(folder.path, "list");
    await writeFile(list, entries.map(({ line }) => `${line}\n`).join(""), { mode: 0o600 });
    const args = ["--file=-", `--use-list=${list}`, "--no-owner", "--no-tablespaces"];
    yield* readThrough(archiveReader(clients, args), open(), options.signal) as AsyncIterable<Buffer>;
  } finally {
    await folder.remove();
  }
}
