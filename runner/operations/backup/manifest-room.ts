import type { DatabaseBackup } from "../../../providers/database/database.ts";
import { ProviderError } from "../../../providers/errors.ts";
import { DOCUMENT, MANIFEST_OBJECTS, requireWithin } from "../../backups/documents/document-bounds.ts";
import { sealInPieces } from "../../backups/documents/sealed-json.ts";

/** About what a manifest says of an object, but for names and what it covers, in characters. */
const OBJECT = "0".repeat(500);

/**
 * Refuses a backup before it is begun if its manifest would be too large to be read again.
 *
 * @throws ProviderError `CONFIG`.
 */
export function requireManifestRoom({ facts, artifacts }: Pick<DatabaseBackup, "facts" | "artifacts">): void {
  // One more: the index of files.
  if (artifacts.length + 1 > MANIFEST_OBJECTS) {
    const has = `this would have ${artifacts.length}`;
    throw new ProviderError("CONFIG", `A backup has fewer than ${MANIFEST_OBJECTS} objects, and ${has}.`, {
      fix: "Divide the server's databases among several jobs, with lists of names in `databases`.",
    });
  }
  const { tables, roles } = facts;
  const objects = artifacts.map(({ name, database, covers }) => ({ name, database, covers, rest: OBJECT }));
  requireWithin(
    `The manifest of a backup of ${tables.length} tables`,
    sealInPieces({ database: { tables, roles }, objects }),
    DOCUMENT,
    "Divide the database's schemas among several jobs, with include and exclude.",
  );
}
