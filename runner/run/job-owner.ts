import { z } from "zod";
import type { JobConfig } from "../../providers/config.ts";
import { ProviderError } from "../../providers/errors.ts";
import { jobFolder, ownersFolder } from "../../providers/layout.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import { readDocument } from "../backups/catalogue/catalogue.ts";
import { unseal } from "../backups/documents/sealed-json.ts";
import { writeDocument } from "../backups/documents/write-document.ts";
import type { Job } from "./run.ts";

/** Whose a job's folder in a store is, from a time on. */
const OwnerDocument = z.object({ format: z.literal(1), id: z.string().max(100), name: z.string().max(300) });

/** Where a job's folder is, and what ends the work. */
interface Place {
  readonly storage: StorageProvider;
  readonly job: Job;
  readonly signal: AbortSignal;
}

/**
 * Checks that a job's folder in a store is of the job's stack, and says so there where nothing does yet.
 *
 * @param adopt whether a person says that the folder is this stack's from now on, whoever it was of
 * @throws ProviderError `CONFIG` where it is another stack's; else what the store says
 */
export async function takeFolder(place: Place, adopt: boolean): Promise<void> {
  const { owner } = place.job;
  if (owner === undefined) return;
  const found = await ownerOf(place);
  if (found?.id === owner.id && found.name === owner.name) return;
  if (found !== undefined && found.id !== owner.id && !adopt) throw ownedBy(place, owner, found);
  const time = new Date().toISOString().replace(/[-:]/g, "");
  const key = `${ownersFolder(place.job)}/${time}-${owner.id}.json`;
  await writeDocument(place, key, { format: 1, key, ...owner }, place.signal);
}

/**
 * Checks the same and writes nothing.
 *
 * @throws ProviderError as {@link takeFolder}
 */
export async function requireFolder(place: Place): Promise<void> {
  const { owner } = place.job;
  if (owner === undefined) return;
  const found = await ownerOf(place);
  if (found !== undefined && found.id !== owner.id) throw ownedBy(place, owner, found);
}

/** The newest owner: objects are never replaced. */
async function ownerOf({ storage, job, signal }: Place): Promise<z.output<typeof OwnerDocument> | undefined> {
  let newest: string | undefined;
  for await (const { key } of storage.list(ownersFolder(job), { signal })) newest = key;
  if (newest === undefined) return undefined;
  return unseal(newest, (await readDocument(storage, newest, signal)).toString("utf8"), OwnerDocument);
}

function ownedBy(
  { storage, job }: Place,
  owner: NonNullable<JobConfig["owner"]>,
  found: z.output<typeof OwnerDocument>,
): ProviderError {
  const folder = jobFolder(job);
  return new ProviderError(
    "CONFIG",
    `The folder ${folder} in ${storage.description} is that of the stack ${JSON.stringify(found.name)} (${found.id}), and not of ` +
      `${JSON.stringify(owner.name)} (${owner.id}), whose job this is.`,
    {
      fix:
        "Give the job another name, or its destination another prefix. If that stack is gone, or this one was destroyed and made again, " +
        "take the folder over once: provision backup --adopt.",
    },
  );
}
