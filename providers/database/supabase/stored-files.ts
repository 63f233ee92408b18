import type { StoredFile } from "../database.ts";
import type { ControlConnection } from "../postgres/connect/control-connection.ts";

/** Rows that are fetched at a time. */
const BATCH = 5_000;

/**
 * The files that a project's database has rows of, in the snapshot of the connection's transaction.
 *
 * @param buckets those that are asked for; undefined for all
 */
export async function* storedFiles(
  control: ControlConnection,
  buckets: readonly string[] | undefined,
): AsyncGenerator<StoredFile> {
  const [table] = await control.query<{ readable: boolean | null }>(
    "SELECT has_table_privilege(to_regclass('storage.objects'), 'SELECT') AS readable",
  );
  if (table?.readable !== true) return;
  const condition = buckets === undefined ? "" : " WHERE bucket_id = ANY($1)";
  await control.query(
    "DECLARE provision_files NO SCROLL CURSOR FOR " +
      `SELECT bucket_id AS bucket, name AS path FROM storage.objects${condition}`,
    buckets === undefined ? [] : [buckets],
  );
  for (;;) {
    const rows = await control.query<StoredFile>(`FETCH ${BATCH} FROM provision_files`);
    if (rows.length === 0) break;
    yield* rows;
  }
  await control.query("CLOSE provision_files");
}
