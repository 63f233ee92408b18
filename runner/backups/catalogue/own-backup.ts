import { ProviderError } from "../../../providers/errors.ts";
import type { JobName } from "./backup-folder.ts";
import type { SealedDocument } from "../documents/sealed-json.ts";

/** Characters of a name that a message shows; those of Provision have fewer. */
const SHOWN = 100;

/** A folder among a job's backups whose manifest is that of another backup: somebody copied or moved it there. */
export class ForeignBackupError extends ProviderError {
  override readonly name = "ForeignBackupError";

  constructor(job: JobName, id: string, of: string) {
    const place = `${job.stack}/${job.name}/${id}`;
    super("INTEGRITY", `${place} is no backup of this job: its manifest is that of ${of}.`, {
      fix:
        `Remove the folder ${place} from the store, or move it back to where it belongs. Backups of a job or a stack that was ` +
        "renamed are brought along with: provision copy --all --from-job <the job's former file>.",
    });
  }
}

/**
 * Checks that a manifest names the backup in whose folder it is. What it names is read before its format is looked at: another
 * version's manifest names these three as well.
 *
 * @throws ForeignBackupError where it names another id, stack or job.
 */
export function requireOwn(job: JobName, id: string, manifest: SealedDocument): void {
  if (manifest.id === id && manifest.stack === job.stack && manifest.job === job.name) return;
  throw new ForeignBackupError(job, id, [manifest.stack, manifest.job, manifest.id].map(short).join("/"));
}

/** What a message shows of a name that may be of any length. */
function short(name: unknown): string {
  const text = typeof name === "string" ? name : typeof name;
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
