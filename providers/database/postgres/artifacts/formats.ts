import type { ArtifactUse } from "../../database.ts";

/**
 * The formats of PostgreSQL's artifacts: an archive of `pg_dump -Fc`; one of `pg_dump -Fd` as a tar file; roles as SQL of
 * `pg_dumpall`; SQL of Provision's own, which people can read and psql can run.
 */
export const postgresFormats: Readonly<Record<string, ArtifactUse>> = {
  "pg_dump-custom": "archive",
  "pg_dump-directory": "archive",
  "roles-sql": "roles",
  sql: "extra",
};

/** Whether an artifact is an archive of pg_dump, which holds a database's definitions and rows. */
export function isArchive({ format }: { readonly format: string }): boolean {
  return postgresFormats[format] === "archive";
}
