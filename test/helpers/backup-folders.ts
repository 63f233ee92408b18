import type { BackupFolder } from "../../runner/backups/catalogue/backup-folder.ts";
import { timestamp } from "../../runner/backups/catalogue/backup-id.ts";

/** A verified backup of a time, in whole seconds, as a listing shows it; the changes say what is different about this one. */
export function backupOf(time: Date, changes: Partial<BackupFolder> = {}, mark = 0): BackupFolder {
  const id = `${timestamp(time)}-${mark.toString(16).padStart(6, "0")}`;
  const seconds = Math.floor(time.getTime() / 1000) * 1000;
  return {
    id,
    time: new Date(seconds),
    folder: `prod/app/${id}`,
    whole: true,
    state: "verified",
    decides: true,
    order: seconds,
    drill: undefined,
    copied: undefined,
    size: 1,
    files: [],
    records: [],
    warnings: [],
    ...changes,
  };
}
