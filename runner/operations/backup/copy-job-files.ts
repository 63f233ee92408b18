import { ProviderError, toProviderError } from "../../../providers/errors.ts";
import { backupFiles, type FilesReport } from "../files/backup-files.ts";
import { FILE_INDEX } from "../../../providers/layout.ts";
import { counted } from "../../../providers/fields/sizes.ts";
import type { Reconciliation } from "../files/reconciliation.ts";
import { fail, live, requireLive } from "./destination.ts";
import { verifies, type RunState, type Draft } from "./state.ts";
import type { Trace } from "./trace.ts";

/**
 * Copies the job's files, if it has any. Where they cannot be copied, the backup of the database stays, and the run ends as
 * partial.
 *
 * @throws ProviderError where the run must end, or no destination is left
 */
export async function copyJobFiles(
  state: RunState,
  draft: Draft,
  reconciliation: Reconciliation | undefined,
): Promise<void> {
  const { run, trace, destinations } = state;
  const config = run.job.files;
  if (!config) return;
  const targets = live(destinations);
  try {
    await trace.step("files", { provider: config.kind }, async (span) => {
      draft.files = await backupFiles({
        run,
        config,
        id: draft.id,
        verifies: verifies(state),
        reconciliation,
        stores: () => live(destinations).map(({ storage }) => storage),
        dropStore: (storage, error) => {
          const destination = targets.find((candidate) => candidate.storage === storage);
          if (destination?.errors.length === 0) fail(trace, "store", destination, error);
        },
        progress: (bytes) => {
          span.progress(bytes);
        },
      });
      const { report, fileKeys } = draft.files;
      for (const [object, fileKey] of fileKeys) draft.fileKeys.set(object, fileKey);
      span.set({ bytes: report.copiedBytes, objects: report.copied });
      logProblems(trace, report);
    });
  } catch (error) {
    if (run.signal.aborted) throw error;
    requireLive(destinations);
    const failure = toProviderError(error);
    trace.track(failure, { step: "files" });
    draft.incomplete = true;
    draft.omitted.push({ artifact: FILE_INDEX.name, reason: failure.message });
    trace.error(`The backup leaves out the files: ${failure.message}`);
  }
  requireLive(destinations);
}

/** Logs what is not in the backup, and how the files differ from the rows that the database has of them. */
function logProblems(trace: Trace, { leftOut, differences }: FilesReport): void {
  for (const { bucket, path, destination, message } of leftOut) {
    const what = path === undefined ? `the bucket ${bucket}` : `${bucket}/${path}`;
    const where = destination === undefined ? "The backup" : `The backup in ${destination}`;
    trace.error(`${where} leaves out ${what}: ${message}`, { bucket });
  }
  const { missing = [], orphaned = [] } = differences ?? {};
  const differ = ([first, ...others]: readonly string[], where: string, why: string) => {
    if (first === undefined) return;
    const files = `${counted(others.length + 1, "file")} ${others.length === 0 ? "is" : "are"}`;
    trace.warn(`${files} ${where}, such as ${first}. ${why}`, {});
  };
  differ(missing, "in the database and not in Storage", "They were removed since its snapshot, or are lost.");
  differ(
    orphaned,
    "listed by Storage and not in the database",
    "Is it the database of this Storage? If it is, they were added while the snapshot was taken.",
  );
  if (leftOut.length === 0) return;
  const what = leftOut.length === 1 ? "A file or bucket" : `${leftOut.length} files or buckets`;
  trace.track(new ProviderError("INTERNAL", `${what} could not be copied.`));
}
