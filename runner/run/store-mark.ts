import { createHash } from "node:crypto";
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { ProviderError, toProviderError } from "../../providers/errors.ts";
import { RECORDS_FOLDER, STORE_MARK } from "../../providers/layout.ts";
import { isFolder, placeOf, type StorageConfig } from "../../providers/storage/index.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";

/** What the mark says to a person who finds it. */
const TEXT =
  "Provision keeps backups in this folder. Without this file it takes the folder for a share that is not mounted.\n";

/** A store, and the job's file that names it; undefined where the environment has the job, and so no disk that lasts. */
interface Store {
  readonly storage: StorageProvider;
  readonly config: StorageConfig;
  readonly jobFile: string | undefined;
}

/**
 * Checks that a folder in which a backup has left its mark still has it: a mount point without its share has none. Does nothing for
 * stores that are no folders, and where no backup has left one.
 *
 * @throws ProviderError `CONFIG` where the mark is missing
 */
export async function requireMark(store: Store): Promise<void> {
  const record = recordOf(store);
  if (record === undefined) return;
  const since = await readFile(record, "utf8").catch(() => undefined);
  if (since === undefined || (await hasMark(store.storage))) return;
  throw new ProviderError(
    "CONFIG",
    `${store.storage.description} lacks the file ${STORE_MARK}, which a backup left there (${since.trim()}): its share is not mounted.`,
    {
      fix:
        `Mount it: \`findmnt\` shows what is mounted. If the folder is empty or new on purpose, remove ${record} on this machine, and ` +
        "the next backup marks the folder.",
    },
  );
}

/**
 * Marks a folder in which a backup or a copy is about to be kept, and remembers that beside the job's file, for all jobs whose files are there.
 * Where nothing can be written there or beside it, nothing is remembered: what comes next says what the store lacks.
 */
export async function leaveMark(store: Store, signal: AbortSignal): Promise<void> {
  const record = recordOf(store);
  if (record === undefined) return;
  try {
    await mkdir(dirname(record), { recursive: true, mode: 0o700 });
    await access(record).catch(async () => {
      if (!(await hasMark(store.storage))) await upload(store.storage, signal);
      await writeFile(record, `${new Date().toISOString()}, ${store.storage.description}\n`, { mode: 0o600 });
    });
  } catch {
    // The next backup tries again.
  }
}

async function hasMark(storage: StorageProvider): Promise<boolean> {
  try {
    await storage.stat(STORE_MARK);
    return true;
  } catch (error) {
    if (toProviderError(error).code === "NOT_FOUND") return false;
    throw error;
  }
}

async function upload(storage: StorageProvider, signal: AbortSignal): Promise<void> {
  try {
    await storage.upload(STORE_MARK, Readable.from([Buffer.from(TEXT)]), { signal });
  } catch (error) {
    // Another job has just left it.
    if (toProviderError(error).code !== "CONFLICT") throw error;
  }
}

/** Where this machine remembers that a store was marked; undefined where it remembers nothing of it. */
function recordOf({ config, jobFile }: Store): string | undefined {
  if (jobFile === undefined || !isFolder(config)) return undefined;
  const name = createHash("sha256").update(placeOf(config)).digest("hex").slice(0, 16);
  return join(dirname(resolve(jobFile)), RECORDS_FOLDER, `store-${name}`);
}
