import { ProviderError } from "../../../providers/errors.ts";
import { timeOfBackup } from "../catalogue/backup-id.ts";
import type { BackupFolder, JobName } from "../catalogue/backup-folder.ts";
import { openSealed, type SealedDocument } from "./sealed-json.ts";

/** A backup of which nothing proves that this stack made it: its signature is missing, wrong or of another key. */
export class UnprovenBackupError extends ProviderError {
  override readonly name = "UnprovenBackupError";

  constructor(place: string, fault: string, fix: string) {
    super("INTEGRITY", `${place} may be forged: ${fault}.`, { fix });
  }
}

const GO_ON = "To use it all the same, name its id and add --accept-unproven.";

/**
 * Whether a manifest is signed: undefined where the job has no keys, and false for one of before there was a key, which shows in
 * its id alone.
 *
 * @throws UnprovenBackupError where its signature is wrong or of an unknown key, or missing although there was a key.
 */
export function proofOf({ stack, name, keys }: JobName, id: string, manifest: SealedDocument): boolean | undefined {
  if (keys === undefined) return undefined;
  const fault = keys.fault(manifest);
  if (fault === undefined) return true;
  if (manifest.signature === undefined && isOlderThan(keys, id)) return false;
  throw new UnprovenBackupError(
    `${stack}/${name}/${id}`,
    `the manifest is not proven to be this stack's, ${fault}`,
    manifest.signature === undefined
      ? `If it was made before the job signed its backups, set signing.since to when that began. Else find out who writes to the store. ${GO_ON}`
      : `If the stack had another key, name it in signing.formerKeys. Else find out who writes to the store. ${GO_ON}`,
  );
}

/** Whether a backup was begun before there was a key, as its id says. */
export function isOlderThan({ since }: NonNullable<JobName["keys"]>, id: string): boolean {
  const begun = timeOfBackup(id);
  return begun !== undefined && since !== undefined && begun < since;
}

/**
 * Checks that a backup is proven to be the stack's own, before anything of it is restored.
 *
 * @throws UnprovenBackupError where it has no signature, although it is of before there was a key.
 */
export function requireProven({ stack, name }: JobName, { id, signed }: Pick<BackupFolder, "id" | "signed">): void {
  if (signed !== false) return;
  throw new UnprovenBackupError(
    `${stack}/${name}/${id}`,
    "it has no signature. Its id says that it was begun before the stack had a key, and anybody who writes to the store can say that",
    `Use a signed one. ${GO_ON}`,
  );
}

/** Checks a record's signature, where the job has keys. `INTEGRITY` where it is missing or wrong. */
export function requireProvenRecord({ keys }: JobName, key: string, record: Buffer): void {
  const fault = keys?.fault(openSealed(key, record.toString("utf8")));
  if (fault === undefined) return;
  throw new ProviderError(
    "INTEGRITY",
    `${key} may be forged: the job signs its records, and of this one it must be said that ${fault}.`,
  );
}
