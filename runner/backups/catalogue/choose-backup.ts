import { randomInt } from "node:crypto";
import { ProviderError } from "../../../providers/errors.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { BackupFolder, JobName } from "./backup-folder.ts";
import { listWhole } from "./catalogue.ts";
import { byOrder } from "./order.ts";

/** Backups that a choice names one by one because it passed over them. */
const NAMED = 10;

/** A store, and a job's backups in it. */
export interface Place {
  readonly description: string;
  readonly backups: readonly BackupFolder[];
}

/** A backup that was chosen. */
export interface Chosen<Where extends Place = Place> {
  readonly backup: BackupFolder;
  readonly place: Where;
  /** What to read it with: without the keys, where nothing proves it and a person has accepted that. */
  readonly job: JobName;
  /** Which newer backups, and copies of this one, were passed over, and why: one sentence each. */
  readonly notUsed: readonly string[];
  /** What it has lost, one sentence each, where it is suspicious in some store and accepted in none. */
  readonly losses: readonly string[];
  /** The newest backup without suspicion; undefined where there is none. */
  readonly trusted: BackupFolder | undefined;
}

/** The backups of a job in a store among which one with that id, or that name, is to be chosen. */
export async function placeOf(storage: StorageProvider, job: JobName, id: string, signal: AbortSignal): Promise<Place> {
  const { description } = storage;
  const backups = isNamed(id) ? await listWhole(storage, job, signal, id) : [];
  return { description, backups: backups.length > 0 ? backups : await listWhole(storage, job, signal) };
}

/** Chooses a backup of a job in one store; see {@link choose}. */
export async function chooseBackup(
  storage: StorageProvider,
  job: JobName,
  id: string,
  signal: AbortSignal,
): Promise<BackupFolder> {
  return choose(job, [await placeOf(storage, job, id, signal)], id).backup;
}

/**
 * Finds a backup of a job by its id, or the newest one of all places: `latest` is the newest that is not known to be damaged,
 * `verified` the newest that was read in full, and `random` any that was. Where some are proven, all three mean those alone. Of several
 * copies it takes one that was read in full, else the first.
 *
 * @param acceptUnproven whether it may be one that nothing proves
 * @throws ProviderError `NOT_FOUND` where there is none, `INTEGRITY` where the id is of a folder with another backup's manifest
 * or a forged one.
 */
export function choose<Where extends Place>(
  job: JobName,
  places: readonly Where[],
  id: string,
  acceptUnproven = false,
): Chosen<Where> {
  const all = places
    .flatMap((place) => place.backups.map((backup) => ({ place, backup })))
    .sort((one, other) => byOrder(one.backup, other.backup));
  const proven = all.filter(({ backup }) => backup.decides);
  const some = proven.length > 0 ? proven : all;
  const isGood = ({ backup: { state } }: (typeof all)[number]) =>
    state === "verified" || (state === "unverified" && (id === "latest" || isNamed(id)));
  const good = some.filter(isGood);
  const unproven = acceptUnproven ? all.filter(({ backup }) => backup.unproven) : [];
  const wanted = isNamed(id) ? all.filter(({ backup }) => backup.id === id) : good.length > 0 ? good : unproven;
  const one = wanted[id === "random" && wanted.length > 0 ? randomInt(wanted.length) : wanted.length - 1];
  if (one === undefined) throw notFound(job, places, id);
  const copies = places.flatMap((place) =>
    wanted.filter((each) => each.place === place && each.backup.id === one.backup.id),
  );
  const chosen = copies.find(({ backup }) => backup.state === "verified") ?? copies.find(isGood) ?? copies[0] ?? one;
  const { backup } = chosen;
  const refused = backup.foreign ?? (acceptUnproven ? undefined : backup.unproven);
  if (refused) throw refused;
  const passedOver = all.filter((each) =>
    each.backup.id === backup.id
      ? each !== chosen && !isGood(each)
      : !isNamed(id) && id !== "random" && !good.includes(each) && isNewer(each.backup, backup),
  );
  return {
    ...chosen,
    job: backup.unproven ? { ...job, keys: undefined } : job,
    notUsed: describe(passedOver.reverse(), backup),
    losses: lossesOf(backup, all),
    trusted: good.findLast((each) => lossesOf(each.backup, all).length === 0)?.backup,
  };
}

/** What its copies say that it has lost, unless one of them says that a person has accepted it. */
function lossesOf({ id, decides }: BackupFolder, all: readonly { readonly backup: BackupFolder }[]): string[] {
  const unusual = all.flatMap(({ backup }) =>
    backup.id === id && backup.decides === decides ? (backup.unusual ?? []) : [],
  );
  if (unusual.some(({ accepted }) => accepted !== undefined)) return [];
  return [...new Set(unusual.flatMap(({ suspicious, findings }) => (suspicious ? findings : [])))];
}

function isNamed(id: string): boolean {
  return !["latest", "verified", "random"].includes(id);
}

/** What an unproven one says of its order counts for nothing. */
function isNewer(backup: BackupFolder, chosen: BackupFolder): boolean {
  return backup.decides ? byOrder(backup, chosen) > 0 : backup.id > chosen.id;
}

function describe(passedOver: readonly { place: Place; backup: BackupFolder }[], chosen: BackupFolder): string[] {
  const shown = passedOver.slice(0, NAMED).map(({ place, backup }) => {
    const which = backup.id === chosen.id ? "not used" : "newer, not used";
    return `${which}: ${backup.id} in ${place.description}: ${whyNot(backup)}`;
  });
  const more = passedOver.length - shown.length;
  return more > 0 ? [...shown, `not used either: ${more} more; see \`provision list\``] : shown;
}

function whyNot({ state, foreign, unproven, warnings: [warning] }: BackupFolder): string {
  switch (state) {
    case "foreign":
    case "unproven":
      return (foreign ?? unproven)?.message ?? state;
    case "unreadable":
      return warning ?? state;
    case "unverified":
      return "it was never read back";
    case "verified":
      return "it has no signature";
    default:
      return "it is damaged";
  }
}

function notFound({ stack, name }: JobName, places: readonly Place[], id: string): ProviderError {
  const all = places.flatMap(({ backups }) => backups);
  const own = all.filter(({ state }) => state !== "foreign" && state !== "unproven").sort(byOrder);
  const newest = own.at(-1)?.id;
  const kinds = new Map([
    ["verified", "verified backup"],
    ["random", "verified backup"],
    ["latest", newest === undefined ? "backup" : "undamaged backup"],
  ]);
  const what = kinds.get(id) ?? `backup "${id}"`;
  const where = places.map(({ description }) => description).join(" and ");
  return new ProviderError(
    "NOT_FOUND",
    `${where} ${places.length > 1 ? "have" : "has"} no ${what} of ${stack}/${name}.`,
    {
      fix:
        newest === undefined
          ? all.length > 0
            ? "What it has in the job's folder are other jobs' backups, or forged ones; see `provision list`."
            : "It has none of this job at all: check the job's stack, name and destination."
          : id === "latest"
            ? `All ${own.length} that it has are damaged, the newest of them ${newest}: back up again with \`provision backup\`. ` +
              "`provision verify` says what is damaged in each."
            : `It has ${own.length}, the newest of them ${newest}; see \`provision list\`.`,
    },
  );
}
