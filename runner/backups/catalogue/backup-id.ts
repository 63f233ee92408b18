import { randomBytes } from "node:crypto";

const PATTERN = /^\d{8}T\d{6}Z-[0-9a-f]{6}$/;

/** A moment as it stands in names: sortable, without characters that any store refuses. */
export function timestamp(time: Date): string {
  return time.toISOString().replace(/[-:]|\.\d+/g, "");
}

/**
 * A new backup's id: its UTC time, and six hexadecimal digits that keep two runs of one second apart. The first of them
 * counts sixteenths of the second, so that runs one after another sort as they were made: prune keeps the newest by name.
 * The others are random.
 */
export function newBackupId(now: Date): string {
  const sixteenth = Math.floor((now.getUTCMilliseconds() * 16) / 1000).toString(16);
  return `${timestamp(now)}-${sixteenth}${randomBytes(3).toString("hex").slice(1)}`;
}

/** When a backup was begun, from its id; undefined for a name that is no backup's. */
export function timeOfBackup(id: string): Date | undefined {
  return PATTERN.test(id) ? parseTimestamp(id.slice(0, -"-123456".length)) : undefined;
}

/** The moment that a {@link timestamp} names; undefined where it is none. */
export function parseTimestamp(text: string): Date | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!parts) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time.getTime()) ? undefined : time;
}
