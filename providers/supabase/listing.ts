import type { StoredObject } from "../transfer/object.ts";
import type { SupabaseClient } from "./client.ts";
import type { CallOptions } from "../http/service-client.ts";

/** Objects a page; the service takes 1,000 at most. */
const PAGE = 1_000;

/** An object with the service's tag of its content. */
interface ListedObject extends StoredObject {
  readonly etag: string;
}

/**
 * All objects below a folder, at any depth; the empty string is the whole bucket.
 *
 * The older listing of the SDK (`list`) would not serve: it takes `_` for any character, does not tell upper from lower
 * case, and shows names without their folder, so that it mixes folders that resemble each other.
 */
export async function* listObjects(
  client: SupabaseClient,
  bucket: string,
  folder: string,
  options: CallOptions,
): AsyncGenerator<ListedObject> {
  const prefix = folder === "" ? "" : `${folder}/`;
  let cursor: string | undefined;
  do {
    const next = cursor === undefined ? {} : { cursor };
    const page = await client.call(
      (storage) => storage.from(bucket).listV2({ prefix, limit: PAGE, with_delimiter: false, ...next }),
      options,
    );
    for (const { name, key = name, updated_at: modified, metadata } of page.objects) {
      // Without these facts an object is not whole yet. And `_` stands for any character here, too.
      if (metadata === null || !key.startsWith(prefix)) continue;
      const etag = metadata.eTag.replaceAll(/^W\/|"/g, "");
      yield { key, size: metadata.size, etag, modified: new Date(modified) };
    }
    cursor = page.hasNext ? page.nextCursor : undefined;
  } while (cursor !== undefined);
}
