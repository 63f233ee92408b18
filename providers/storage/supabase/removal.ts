import { ProviderError, toProviderError } from "../../errors.ts";
import type { SupabaseClient } from "../../supabase/client.ts";
import { objectAt } from "../../supabase/commit.ts";

/** Objects a request; the service takes 1,000 at most. */
const BATCH = 1_000;

/**
 * Removes objects. The service only tells which it removed: of the others it is asked whether they are still there.
 *
 * @returns the error of each object that stayed, by its name
 */
export async function removeObjects(
  client: SupabaseClient,
  bucket: string,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Map<string, ProviderError>> {
  const failures = new Map<string, ProviderError>();
  for (let start = 0; start < names.length; start += BATCH) {
    const batch = names.slice(start, start + BATCH);
    try {
      for (const name of await notRemoved(client, bucket, batch, signal)) {
        failures.set(
          name,
          new ProviderError("AUTH", `Cannot remove ${name}: the service does not remove it, and does not say why.`, {
            fix: "Use the secret or service_role key: others need policies for delete and for select on storage.objects.",
          }),
        );
      }
    } catch (error) {
      for (const name of batch) failures.set(name, toProviderError(error));
    }
  }
  return failures;
}

async function notRemoved(
  client: SupabaseClient,
  bucket: string,
  batch: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const options = { action: `remove ${batch.length} objects from the bucket ${bucket}`, signal };
  const removed = await client.call((storage) => storage.from(bucket).remove([...batch]), options);
  const done = new Set(removed.map(({ name }) => name));
  const stayed: string[] = [];
  for (const name of batch) {
    if (done.has(name)) continue;
    const found = await objectAt(client, bucket, name, { action: `check ${name}`, signal });
    if (found !== undefined) stayed.push(name);
  }
  return stayed;
}
