import type { DatabaseArtifact } from "../../../providers/database/database.ts";
import { toProviderError } from "../../../providers/errors.ts";
import type { Attributes } from "../../../providers/monitor/monitor.ts";
import type { StoredObject } from "../../../providers/transfer/object.ts";
import { backupKey } from "../../../providers/layout.ts";
import { dump, streamSettings, type MeasuredUpload } from "../../backups/dump.ts";
import { fail, live, requireLive } from "./destination.ts";
import { omit, type RunState, type Draft } from "./state.ts";
import type { Trace } from "./trace.ts";

/**
 * Dumps one artifact to all live destinations at the same time. One that is not required is left out
 * where it fails.
 *
 * @throws ProviderError where a required artifact fails, or no destination is left
 */
export async function dumpArtifact(state: RunState, draft: Draft, artifact: DatabaseArtifact): Promise<void> {
  const { run, trace, destinations } = state;
  const { job, signal } = run;
  const targets = live(destinations);
  const stores = targets.map(({ storage }) => storage);
  try {
    await trace.step("dump", { artifact: artifact.name, provider: job.database.kind }, async (span) => {
      const { object, fileKey, failures } = await dump(artifact, stores, (file) => backupKey(job, draft.id, file), {
        ...streamSettings(job),
        plainSum: job.compression.plainSha256 === true ? "sha256" : "crc32",
        signal,
        progress: (bytes) => {
          span.progress(bytes);
        },
        measureUpload: (index, upload) =>
          measureStore(trace, { artifact: artifact.name, ...targets[index]?.facts }, upload),
      });
      for (const [index, destination] of targets.entries()) {
        const failure = failures[index];
        if (failure) fail(trace, "store", destination, failure);
      }
      if (!object) return;
      span.set({ bytes: object.plain.size, storedBytes: object.stored.size, objects: 1 });
      draft.objects.push(object);
      if (fileKey) draft.fileKeys.set(object.file, fileKey);
    });
  } catch (error) {
    if (artifact.required || signal.aborted) throw error;
    const failure = toProviderError(error);
    omit(state, draft, artifact.name, failure.message);
    // A role without the right to read it gets no more from the next run. Any other failure makes this run partial.
    if (failure.code !== "AUTH") {
      draft.incomplete = true;
      trace.track(failure);
    }
  }
  requireLive(destinations);
}

function measureStore(trace: Trace, about: Attributes, upload: MeasuredUpload): Promise<StoredObject> {
  return trace.step("store", about, async (span) => {
    let retries = 0;
    try {
      const stored = await upload(() => (retries += 1));
      span.set({ bytes: stored.size, objects: 1 });
      return stored;
    } finally {
      span.set({ retries });
    }
  });
}
