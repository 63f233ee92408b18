import { Readable } from "node:stream";
import { ProviderError } from "../../../errors.ts";
import type { BackupOptions, DatabaseArtifact, DatabaseBackup } from "../../database.ts";
import { isArchive } from "../artifacts/formats.ts";
import { openBackup } from "./backup.ts";
import { connect, withConnection } from "../connect/control-connection.ts";
import { lockedIn, takeLock } from "./job-lock.ts";
import type { Databases, PostgresSettings } from "../settings.ts";

/**
 * Opens a backup of several databases of one server: an archive of each, and the server's roles once. Each is looked at before the first
 * is dumped, and its snapshot is taken when its archive is read, so that a run has one of them open at a time.
 */
export async function openSeveral(
  settings: PostgresSettings,
  databases: Databases,
  { lock, signal }: BackupOptions,
): Promise<DatabaseBackup> {
  const names = await chooseDatabases(settings, databases, signal);
  const settingsOf = (database: string) => ({ ...settings, connection: { ...settings.connection, database } });
  // One lock is enough to keep other runs of the job away.
  const control = await connect(settings.connection, signal, { database: names[0] });
  try {
    await takeLock(control, lock);
    const locks = await lockedIn(control);
    const backups: DatabaseBackup[] = [];
    for (const database of names) {
      const backup = await openBackup(settingsOf(database), { signal });
      await backup.close();
      backups.push(backup);
    }
    const [first] = backups;
    if (first === undefined) throw new ProviderError("INTERNAL", "No database was chosen.");
    const taken = new Set<string>();
    const archives = backups.flatMap(({ facts, artifacts }) =>
      artifacts.filter(isArchive).map((artifact) => {
        const open = (late: AbortSignal) => Readable.from(bytesOf(settingsOf(facts.name), late), { objectMode: false });
        return named({ ...artifact, open }, facts.name, taken);
      }),
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
      lockedIn: locks,
      artifacts: [...archives, ...first.artifacts.filter(({ format }) => format === "roles-sql")],
      omitted: [],
      // The snapshots have ended with the archives; this says whether the session with the lock still stands.
      endSnapshot: async () => {
        await control.query("SELECT 1");
      },
      close: () => control.close(),
    };
  } catch (error) {
    await control.close();
    throw error;
  }
}

/** The archive of one database, whose snapshot lasts as long as that is read. */
async function* bytesOf(settings: PostgresSettings, signal: AbortSignal): AsyncGenerator<Buffer> {
  const backup = await openBackup(settings, { signal });
  try {
    for (const archive of backup.artifacts.filter(isArchive)) yield* archive.open(signal) as AsyncIterable<Buffer>;
  } finally {
    await backup.close();
  }
}

/** The names of a job's databases that the server has, in order. */
export async function chooseDatabases(
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
