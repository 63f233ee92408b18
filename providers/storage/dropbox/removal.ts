import { setTimeout as sleep } from "node:timers/promises";
import type { files } from "dropbox";
import { ProviderError } from "../../errors.ts";
import type { DropboxClient } from "./client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { fromAnswer } from "./errors.ts";

/** Files a batch; the service takes 1,000 at most. */
const BATCH = 1_000;

/** Between two questions whether a batch is done. */
const POLL_MS = 500;

/** A file to remove, in the state in which it was found. */
export interface Removal {
  readonly key: string;
  readonly path: string;
  readonly rev: string;
}

/**
 * Removes files, in batches: single requests at the same time hinder each other (`too_many_write_operations`). What has
 * changed since stays.
 *
 * @returns the error of each file that stayed, by its key
 */
export async function removeFiles(
  client: DropboxClient,
  removals: readonly Removal[],
  signal: AbortSignal | undefined,
): Promise<Map<string, ProviderError>> {
  const failures = new Map<string, ProviderError>();
  for (let start = 0; start < removals.length; start += BATCH) {
    let rest = removals.slice(start, start + BATCH);
    await client
      .retry(
        async () => {
          rest = await removeBatch(client, rest, failures, signal);
          const busy = rest.map(({ key }) => failures.get(key)).find((failure) => failure !== undefined);
          if (busy !== undefined) throw busy;
        },
        { signal },
      )
      .catch((error: unknown) => {
        // Where the service stays too busy for some, that is their outcome; anything else ends the whole.
        if (!(error instanceof ProviderError) || ![...failures.values()].includes(error)) throw error;
      });
  }
  return failures;
}

/** Removes the files of one batch, notes which failed, and gives those of them that are worth another try. */
async function removeBatch(
  client: DropboxClient,
  removals: readonly Removal[],
  failures: Map<string, ProviderError>,
  signal: AbortSignal | undefined,
): Promise<Removal[]> {
  const outcomes = await outcomesOf(client, removals, { action: `remove ${removals.length} objects`, signal });
  return removals.filter(({ key }, index) => {
    const failure = failureOf(outcomes[index], key);
    if (failure === undefined) failures.delete(key);
    else failures.set(key, failure);
    return failure?.code === "RATE_LIMITED" || failure?.code === "TRANSIENT";
  });
}

/** Starts a batch and waits for its end. */
async function outcomesOf(
  client: DropboxClient,
  removals: readonly Removal[],
  options: CallOptions,
): Promise<files.DeleteBatchResultEntry[]> {
  const entries = removals.map(({ path, rev }) => ({ path, parent_rev: rev }));
  // One try: what calls it tries again, and a batch that was done already finds nothing, which is no failure.
  let status: files.DeleteBatchLaunch | files.DeleteBatchJobStatus = await client.once(
    (sdk, settings) => sdk.filesDeleteBatch({ entries }, settings),
    options,
  );
  let job: string | undefined;
  for (;;) {
    if (status[".tag"] === "complete") return status.entries;
    if (status[".tag"] === "failed") throw failedBatch(status.failed[".tag"], options.action);
    if (status[".tag"] === "async_job_id") job = status.async_job_id;
    if (job === undefined) throw failedBatch(status[".tag"], options.action);
    await sleep(POLL_MS, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(
      () => undefined,
    );
    const id = job;
    status = await client.call((sdk, settings) => sdk.filesDeleteBatchCheck({ async_job_id: id }, settings), options);
  }
}

function failedBatch(tag: string, action: string): ProviderError {
  return fromAnswer({ status: 409, headers: new Headers(), body: { error_summary: `${tag}/` } }, action);
}

/** The error of one file of a batch; nothing where the file is not there any more. */
function failureOf(entry: files.DeleteBatchResultEntry | undefined, key: string): ProviderError | undefined {
  if (entry?.[".tag"] === "success") return undefined;
  const tags: string[] = [];
  let level: unknown = entry?.[".tag"] === "failure" ? entry.failure : undefined;
  while (typeof level === "object" && level !== null && ".tag" in level) {
    const tag = String(level[".tag"]);
    tags.push(tag);
    level = (level as Record<string, unknown>)[tag];
  }
  if (String(tags) === "path_lookup,not_found") return undefined;
  const body = { error_summary: `${tags.join("/")}/` };
  return fromAnswer({ status: 409, headers: new Headers(), body }, `remove ${key}`);
}
