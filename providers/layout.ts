/*
 * Where a backup's objects are in a store, and what they are called: the only place that spells it. Backups that exist have these
 * names, and roles on AWS are granted them, so none may change.
 *
 *     <prefix>/<stack>/<job>/<id>/manifest.json        makes the folder a backup; written last
 *                                /verified-<time>.json and the other records
 *                                /files.jsonl.zst      the index of the files that the backup has
 *                                /<artifact>.zst[.age]
 *     <prefix>/<stack>/<job>/files/…                   the files' contents, which backups share
 *     <prefix>/<stack>/<job>/reports/<time>.html       published reports, and their signatures
 *     <prefix>/<stack>/<job>/lease/<number>.json       which run may make a backup: each claim and renewal has the next number
 *                                 /<number>-ended.json ends the lease whose newest number it has
 *                                 /prune-<time>-<random>.json says that a prune is about to remove backups
 *                                /owners/<time>-<id>.json whose the folder is; the newest counts
 *     <prefix>/.provision-store                         of a folder of a machine: says that its share is mounted
 */

/** Name of the object that says that a folder of the machine is a store, and not a mount point without its share. */
export const STORE_MARK = ".provision-store";

/** The folder beside a job's file in which the machine remembers which stores have their mark. */
export const RECORDS_FOLDER = ".provision";

/** Name of the object that makes a folder a backup. */
export const MANIFEST = "manifest.json";

/** The artifact that lists a backup's files, one JSON object a line. Never encrypted as a whole. */
export const FILE_INDEX = { name: "files.jsonl", format: "file-index" } as const;

/** The folder beside the backups that holds the contents of files. */
export const FILES_FOLDER = "files";

/** The folder beside the backups that holds published reports. */
const REPORTS_FOLDER = "reports";

/** What stands after the time in the names of a published report's objects: of its page, and of the signature. */
export const REPORT_ENDINGS = { page: ".html", signature: ".html.sig" } as const;

/** The folder beside the backups that holds the lease of the run that makes one. */
const LEASE_FOLDER = "lease";

/** Digits of a number in the names of a lease's objects, so that they sort by it. */
const LEASE_DIGITS = 10;

/** What {@link contentObject} makes. */
export const CONTENT_OBJECT = /^files\/[0-9a-f]{2}\/[0-9a-f]{64}-[0-9a-f]{6}\.zst(\.age)?$/;

/** The two ways in which something that is recorded beside a backup can end. */
export interface Trial<Good extends string = string, Bad extends string = string> {
  readonly good: Good;
  readonly bad: Bad;
}

/** Reading a backup in full. */
export const VERIFICATION = { good: "verified", bad: "damaged" } as const satisfies Trial;

/** Restoring a backup into a scratch database. */
export const DRILL = { good: "drilled", bad: "drill-failed" } as const satisfies Trial;

/** Keeping a backup whatever the retention rule says: a hold stands until a release is recorded that knows of it. */
export const HOLD = { good: "released", bad: "held" } as const satisfies Trial;

/** Comparing a backup with the job's last ones: one that has lost something is `suspicious`, one that has grown `unusual`. */
export const ANOMALY = { good: "unusual", bad: "suspicious" } as const satisfies Trial;

/** Copying a backup from another store; its record is the first object of a copy. */
export const COPIED = "copied";

interface JobName {
  readonly stack: string;
  readonly name: string;
}

/** The folder of all backups of a job; `prefix` is that of a destination, where the folder is not below a store's own root. */
export function jobFolder(job: JobName, prefix?: string): string {
  const folder = `${job.stack}/${job.name}`;
  return prefix === undefined ? folder : `${prefix}/${folder}`;
}

/** The key of an object in a backup's folder. */
export function backupKey(job: JobName, id: string, object: string): string {
  return `${jobFolder(job)}/${id}/${object}`;
}

/** The folder of a job's published reports; `prefix` as of {@link jobFolder}. */
export function reportsFolder(job: JobName, prefix?: string): string {
  return `${jobFolder(job, prefix)}/${REPORTS_FOLDER}`;
}

/** The folder beside the backups that says whose they are. */
export const OWNERS_FOLDER = "owners";

/** The folder beside the backups that says whose the job's folder is. */
export function ownersFolder(job: JobName): string {
  return `${jobFolder(job)}/${OWNERS_FOLDER}`;
}

/** The folder of a job's lease. */
export function leaseFolder(job: JobName): string {
  return `${jobFolder(job)}/${LEASE_FOLDER}`;
}

/** The names of the marks of prunes. */
export const PRUNE_MARKS = "prune-*.json";

/** The key of a prune's mark. */
export function pruneKey(job: JobName, name: string): string {
  return `${leaseFolder(job)}/${PRUNE_MARKS.replace("*", name)}`;
}

/** Whether a key is one that {@link pruneKey} made. */
export function isPruneMark(key: string): boolean {
  return /\/prune-[^/]*\.json$/.test(key);
}

/** The key of the lease's object with a number, or of the one that ends the lease at that number. */
export function leaseKey(job: JobName, number: number, ended = false): string {
  return `${leaseFolder(job)}/${String(number).padStart(LEASE_DIGITS, "0")}${ended ? "-ended" : ""}.json`;
}

/** What a key that {@link leaseKey} made says; undefined for any other. */
export function leaseNumber(key: string): { number: number; ended: boolean } | undefined {
  const [, digits, ended] = /\/(\d{10})(-ended)?\.json$/.exec(key) ?? [];
  return digits === undefined ? undefined : { number: Number(digits), ended: ended !== undefined };
}

/** The object that holds a file's content, below the job's folder: `random` keeps two writes of one content apart. */
export function contentObject(fileId: string, random: string, encrypted: boolean): string {
  return `${FILES_FOLDER}/${fileId.slice(0, 2)}/${fileId}-${random}${ending(encrypted)}`;
}

/** The name of a record of an outcome: `time` is a timestamp as in a backup's id, or `*` for all records of the outcome. */
export function recordName(outcome: string, time: string): string {
  return `${outcome}-${time}.json`;
}

/** The time in the name of a record of that outcome; undefined for any other object. */
export function recordTime(name: string, outcome: string): string | undefined {
  const [start = "", end = ""] = recordName(outcome, "*").split("*");
  return name.startsWith(start) && name.endsWith(end) ? name.slice(start.length, -end.length) : undefined;
}

/** What the name of a stored object ends with: artifacts are compressed, and encrypted where the job says so. */
export function ending(encrypted: boolean): string {
  return encrypted ? ".zst.age" : ".zst";
}
