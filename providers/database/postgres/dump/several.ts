import { ProviderError } from "../../../errors.ts";
import type { BackupOptions, DatabaseArtifact, DatabaseBackup } from "../../database.ts";
import { isArchive } from "../artifacts/formats.ts";
import { openBackup } from "./backup.ts";
import { withConnection } from "../connect/control-connection.ts";
import type { Databases, PostgresSettings } from "../settings.ts";

/** Opens a backup of several databases of one server: a snapshot and an archive of each, and the server's roles once. */
export async function openSeveral(
  settings: PostgresSettings,
  databases: Databases,
  options: BackupOptions,
): Promise<DatabaseBackup> {
  const names = await choose(settings, databases, options.signal);
  const backups: DatabaseBackup[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(backups.map((backup) => backup.close()));
  };
  try {
    for (const [index, database] of names.entries()) {
      const connection = { ...settings.connection, database };
      // One lock is enough to keep other runs of the job away.
      const { signal } = options;
      backups.push(await openBackup({ ...settings, connection }, index === 0 ? options : { signal }));
    }
    const [first] = backups;
    if (first === undefined) throw new ProviderError("INTERNAL", "No database was chosen.");
    const taken = new Set<string>();
    const archives = backups.flatMap(({ facts, artifacts }) =>
      artifacts.filter(isArchive).map((artifact) => named(artifact, facts.name, taken)),
    );
    return {
      facts: {
        ...first.facts,
        identity: { ...first.facts.identity, name: null },
        name: names.join(", "),
        size: backups.reduce((sum, { facts }) => sum + facts.size, 0),
        // A table's name would not say of which database it is; the artifacts say what they cover.
        tables: [],
        locales: backups.flatMap(({ facts }) => facts.locales ?? []),
        roles: [...new Set(backups.flatMap(({ facts }) => facts.roles))].sort(),
      },
      lockedIn: first.lockedIn,
      artifacts: [...archives, ...first.artifacts.filter(({ format }) => format === "roles-sql")],
      omitted: [],
      endSnapshot: async () => {
        // The first has the lock; the others are not needed any more.
        await Promise.all(backups.map((backup) => (backup === first ? backup.endSnapshot() : backup.close())));
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function choose(
  { connection }: PostgresSettings,
  { names, except }: Databases,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return withConnection(connection, signal, async (control) => {
    const rows = await control.query<{ name: string; open: boolean }>(
      `SELECT datname AS name, has_database_privilege(oid, 'CONNECT') AS open FROM pg_database
       WHERE datallowconn AND NOT datistemplate ORDER BY datname`,
    );
    const existing = rows.map(({ name }) => name);
    const unknown = [...(names === "all" ? [] : names), ...except].filter((name) => !existing.includes(name));
    if (unknown.length > 0) {
      throw new ProviderError("CONFIG", `The server has no database ${unknown.join(", ")}, which the job names.`, {
        fix: `Correct the name. The server has ${existing.join(", ")}.`,
      });
    }
    const wanted = names === "all" ? existing : existing.filter((name) => names.includes(name));
    const chosen = wanted.filter((name) => !except.includes(name));
    const closed = rows.filter(({ name, open }) => chosen.includes(name) && !open).map(({ name }) => name);
    if (closed.length > 0) {
      throw new ProviderError("AUTH", `The role ${connection.user} may not connect to ${closed.join(", ")}.`, {
        fix: "GRANT CONNECT ON DATABASE … TO the role, or name those databases in excludeDatabases.",
      });
    }
    if (chosen.length > 0) return chosen;
    throw new ProviderError("CONFIG", "excludeDatabases leaves no database to back up.", {
      fix: "Remove one of its entries.",
    });
  });
}

/** An archive with its database's name, as far as a file's name can have that. */
function named(artifact: DatabaseArtifact, database: string, taken: Set<string>): DatabaseArtifact {
  const plain = database
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
  const ending = artifact.name.slice("database".length);
  const nameWith = (count: number): string =>
    ["database", ...(plain === "" ? [] : [plain]), ...(count === 1 ? [] : [count])].join("-") + ending;
  let count = plain === "" ? 2 : 1;
  while (taken.has(nameWith(count))) count += 1;
  taken.add(nameWith(count));
  return { ...artifact, name: nameWith(count), database, covers: [`the database ${database}`, ...artifact.covers] };
}
