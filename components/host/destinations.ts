import type { JobConfig } from "../../providers/config.ts";
import { jobFolder } from "../../providers/layout.ts";
import { folderOf } from "../../providers/storage/index.ts";
import type { BackupFolder } from "./backup-folders.ts";

/** The folder of backups in the stack's folder, for destinations that name none. */
export function backupsIn(directory: string): string {
  return `${directory}/backups`;
}

/** The folders of the machine in which jobs keep backups, each once. */
export function backupFolders(jobs: readonly JobConfig[]): BackupFolder[] {
  const folders = jobs.flatMap((job) =>
    job.destinations.flatMap((destination): BackupFolder[] => {
      const root = folderOf(destination);
      return root === undefined ? [] : [{ root, folder: jobFolder(job, destination.prefix) }];
    }),
  );
  return [...new Map(folders.map((folder) => [`${folder.root}/${folder.folder}`, folder])).values()];
}

/** Where a job's backups are, one entry a destination, for people. */
export function describeDestinations(job: JobConfig): string[] {
  return job.destinations.map((destination) => {
    const root = folderOf(destination);
    return `${destination.kind}: ${root === undefined ? "" : `${root}/`}${jobFolder(job, destination.prefix)}`;
  });
}
