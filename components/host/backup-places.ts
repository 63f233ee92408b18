import type { JobConfig, JobSettings } from "../../providers/config.ts";
import { jobFolder } from "../../providers/layout.ts";
import type { BackupFolder } from "./backup-folders.ts";

type Destination = JobSettings["destinations"][number];

/** The path that a destination names on the machine itself. Undefined where it names none, or is elsewhere. */
export function localPath(destination: Destination): string | undefined {
  return destination.kind === "filesystem" ? destination.path : undefined;
}

/** The folder of backups in the stack's folder, for destinations that name none. */
export function backupsIn(directory: string): string {
  return `${directory}/backups`;
}

/** The destination, with a path where it is on the machine and names none. */
export function withLocalPath(destination: Destination, path: string): Destination {
  return destination.kind === "filesystem" ? { path, ...destination } : destination;
}

/** The folders of the machine in which jobs keep backups, each once. */
export function backupFolders(jobs: readonly JobConfig[]): BackupFolder[] {
  const folders = jobs.flatMap((job) =>
    job.destinations.flatMap((destination): BackupFolder[] => {
      const root = localPath(destination);
      return root === undefined ? [] : [{ root, folder: jobFolder(job, destination.prefix) }];
    }),
  );
  return [...new Map(folders.map((folder) => [`${folder.root}/${folder.folder}`, folder])).values()];
}

/** Where a job's backups are, one entry a destination, for people. */
export function describePlaces(job: JobConfig): string[] {
  return job.destinations.map((destination) => {
    const root = localPath(destination);
    return `${destination.kind}: ${root === undefined ? "" : `${root}/`}${jobFolder(job, destination.prefix)}`;
  });
}
