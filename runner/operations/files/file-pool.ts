import { FILES_FOLDER, jobFolder } from "../../../providers/layout.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { JobName } from "../../backups/catalogue/backup-folder.ts";

/** The key of a file's content; see {@link FileEntry.object}. */
export function contentKey(job: JobName, object: string): string {
  return `${jobFolder(job)}/${object}`;
}

/** An object that holds a file's content. */
export interface Content {
  /** Below the job's folder. */
  readonly object: string;
  readonly size: number;
  readonly modified: Date;
}

/** All contents of files that a job has in a store, whichever backups they belong to. */
export async function* listContents(
  storage: StorageProvider,
  job: JobName,
  signal: AbortSignal,
): AsyncGenerator<Content> {
  const start = jobFolder(job).length + 1;
  for await (const { key, size, modified } of storage.list(contentKey(job, FILES_FOLDER), { signal })) {
    yield { object: key.slice(start), size, modified };
  }
}
