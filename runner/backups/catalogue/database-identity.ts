import type { DatabaseIdentity } from "../../../providers/database/database.ts";
import { ProviderError } from "../../../providers/errors.ts";
import type { BackedUpDatabase, BackupFolder, JobName } from "./backup-folder.ts";
import type { Manifest } from "../documents/manifest.ts";
import { byOrder } from "./order.ts";

/** What a manifest says of its database; undefined for backups of earlier versions, which do not say. */
export function databaseOf({ database }: Manifest): BackedUpDatabase | undefined {
  const { identity, formerly = [] } = database;
  return identity && { identity, formerly };
}

/** Backups in one store are of a database that this job's run, or its newest backup, is not of. */
class OtherDatabaseError extends ProviderError {
  override readonly name = "OtherDatabaseError";
}

/**
 * What is to be remembered of a job's former databases in the backup that is about to be made: what its newest backup
 * remembers and, where a person has said that the database has moved, the databases of all its other backups.
 *
 * @param stores the job's backups in each of its stores, the oldest first
 * @param adopt whether a person has said so
 * @throws OtherDatabaseError (`CONFIG`) where the newest backup in some store is of another database, and nobody has said so.
 */
export function formerDatabases(
  job: JobName,
  mine: DatabaseIdentity,
  stores: readonly { readonly description: string; readonly backups: readonly BackupFolder[] }[],
  adopt: boolean,
): DatabaseIdentity[] {
  const all = stores.flatMap(({ backups }) => knownOf(backups)).sort(byOrder);
  const newest = all.at(-1);
  const remembered =
    newest === undefined ? [] : [...newest.formerly, ...(adopt ? all.map((each) => each.identity) : [])];
  const formerly = distinct(remembered.filter((each) => !isSame(each, mine)));
  for (const { description, backups } of stores) {
    const here = knownOf(backups).at(-1);
    if (here === undefined || isOneOf(here.identity, [mine, ...formerly]) || adopt) continue;
    throw new OtherDatabaseError(
      "CONFIG",
      `The backups of ${job.stack}/${job.name} in ${description} are of ${describe(here.identity)}, and this job's database is ${describe(mine)}. Nothing was dumped.`,
      { fix: ADOPT },
    );
  }
  return formerly;
}

/**
 * Checks that all backups of a job in a store are of one database, and of those that it was before it moved: by a retention
 * rule one database's backups must not displace another's. Backups of earlier versions, which do not say, count as the job's.
 *
 * @param backups the oldest first; the newest says which database that is
 * @throws OtherDatabaseError (`CONFIG`) where some are of another.
 */
export function requireOneDatabase(job: JobName, backups: readonly BackupFolder[]): void {
  const known = knownOf(backups);
  const newest = known.at(-1);
  if (newest === undefined) return;
  const other = known.find(({ identity }) => !isOneOf(identity, [newest.identity, ...newest.formerly]));
  if (other === undefined) return;
  throw new OtherDatabaseError(
    "CONFIG",
    `${job.stack}/${job.name} has backups of different databases: ${newest.id} is of ${describe(newest.identity)}, and ${other.id} of ${describe(other.identity)}. No backup was removed.`,
    { fix: ADOPT },
  );
}

const ADOPT =
  "If these are two databases, give one of the jobs another name, or its destination another folder (path, prefix). If it is one that has " +
  "moved or was renamed (restored into a new server, pg_upgrade), say so once, with its next backup: provision backup --adopt.";

type Known = BackedUpDatabase & Pick<BackupFolder, "id" | "order">;

function knownOf(backups: readonly BackupFolder[]): Known[] {
  return backups.flatMap(({ id, order, database }) => (database ? [{ id, order, ...database }] : []));
}

/** What is not known of one of them, because it could not be read or there are several, tells nothing. */
function isSame(one: DatabaseIdentity, other: DatabaseIdentity): boolean {
  const fit = (a: string | null, b: string | null) => a === null || b === null || a === b;
  return fit(one.systemIdentifier, other.systemIdentifier) && fit(one.name, other.name);
}

function isOneOf(one: DatabaseIdentity, others: readonly DatabaseIdentity[]): boolean {
  return others.some((other) => isSame(one, other));
}

function distinct(identities: readonly DatabaseIdentity[]): DatabaseIdentity[] {
  return [...new Map(identities.map((each) => [JSON.stringify([each.systemIdentifier, each.name]), each])).values()];
}

function describe({ systemIdentifier, name }: DatabaseIdentity): string {
  const what = name === null ? "several databases" : `the database "${name}"`;
  return systemIdentifier === null ? what : `${what} of the server ${systemIdentifier}`;
}
