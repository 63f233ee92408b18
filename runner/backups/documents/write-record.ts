import { ProviderError } from "../../../providers/errors.ts";
import { backupKey } from "../../../providers/layout.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { StoredObject } from "../../../providers/transfer/object.ts";
import type { JobName } from "../catalogue/backup-folder.ts";
import { recordName, type Outcome } from "./records.ts";
import { writeDocument } from "./write-document.ts";

/** How often a record gets another name, a second later, because one of its name is there already. */
const ATTEMPTS = 10;

/** Which backup a record is beside. */
interface Beside {
  readonly storage: StorageProvider;
  readonly job: JobName;
  readonly id: string;
  readonly signal: AbortSignal;
  /** The time that its name has. Default: now. */
  readonly now?: Date | undefined;
}

/**
 * Stores a record beside a backup, under a name with the time of now. Gives what the store says of it.
 *
 * @param documentAt the record's content, given that time
 * @throws ProviderError what the store says
 */
export async function writeRecord(
  { storage, job, id, signal, now = new Date() }: Beside,
  documentAt: (time: Date) => { readonly outcome: Outcome },
): Promise<StoredObject> {
  for (let attempt = 0; ; attempt += 1) {
    const time = new Date(now.getTime() + attempt * 1000);
    const document = documentAt(time);
    const key = backupKey(job, id, recordName(document.outcome, time));
    try {
      return await writeDocument({ storage, job }, key, document, signal);
    } catch (error) {
      // Another one ended with the same outcome in the same second, and may have begun before others ended.
      if (!(error instanceof ProviderError && error.code === "CONFLICT") || attempt === ATTEMPTS) throw error;
    }
  }
}
