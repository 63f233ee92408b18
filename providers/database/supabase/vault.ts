import type { DatabaseArtifact, Omission } from "../database.ts";
import type { Source } from "../postgres/dump/backup.ts";
import { rowsPart } from "./rows.ts";

/** What a backup does about the vault. */
export type VaultMode = "leave-out" | "export";

/**
 * Vault's secrets. As they are stored nobody can read them without a key that only their own server has, so they are either
 * exported as they read, or left out with a word about it.
 */
export async function vaultPart(
  source: Source,
  mode: VaultMode,
): Promise<{ artifact?: DatabaseArtifact; omitted: Omission[] }> {
  const [row] = await source.control.query<{ count: number }>("SELECT count(*)::int AS count FROM vault.secrets");
  const count = row?.count ?? 0;
  if (mode === "leave-out") {
    if (count === 0) return { omitted: [] };
    const reason =
      `Vault has ${count} secrets, and they cannot be recovered from this backup: they are encrypted with a key that only this ` +
      "project's server has. Set `vault: export` on the database to keep them, which needs `encryption` on the job.";
    return { omitted: [{ artifact: "vault.sql", reason }] };
  }
  const columns = "secret, name, description";
  const artifact = rowsPart(source, "vault.sql", `${count} secrets of Vault, decrypted`, [
    // By way of a table: a secret in a statement could end up in a log.
    {
      sql: "CREATE TEMPORARY TABLE provision_vault (at bigint, secret text, name text, description text) ON COMMIT DROP",
    },
    {
      copy: "SELECT row_number() OVER (ORDER BY created_at, id), decrypted_secret, name, description FROM vault.decrypted_secrets ORDER BY 1",
      into: "pg_temp.provision_vault",
    },
    {
      sql: `SELECT count(vault.create_secret(${columns})) FROM (SELECT ${columns} FROM pg_temp.provision_vault ORDER BY at) AS secrets`,
    },
  ]);
  return { artifact, omitted: [] };
}
