import { defineDatabase } from "./database.ts";
import { postgres } from "./postgres.ts";
import { postgresFormats } from "./postgres/artifacts/formats.ts";
import { postgresPorts } from "./postgres/settings.ts";
import { supabaseSchema } from "./supabase/config.ts";

/** `kind: supabase` */
export const supabase = defineDatabase({
  schema: supabaseSchema,
  secrets: ["url"],
  formats: { ...postgresFormats, inventory: "extra" },
  // A drill's server is any PostgreSQL: the rules for connecting to Supabase are not its own.
  drillKind: postgres.schema.shape.kind.value,
  undrillable: (formats) =>
    formats.includes("inventory")
      ? {
          reason: "is a backup of a Supabase project, which no scratch database can hold",
          fix: "Restore it into a spare project: `provision restore --to … --confirm <ref>` compares it with the backup as well.",
        }
      : undefined,
  needsEncryption: ({ vault }) =>
    vault === "export" ? "vault: export puts decrypted Vault secrets into the backup" : undefined,
  ports: postgresPorts,
  create: async (config, { secrets }) => (await import("./supabase/open.ts")).openSupabase(config, secrets),
  async verify(artifact, bytes, config, signal) {
    if (artifact.format !== "inventory") return postgres.verify(artifact, bytes, config, signal);
    const { readInventory } = await import("./supabase/inventory.ts");
    await readInventory(artifact.name, bytes);
  },
  countRows: (artifact, bytes, config, signal) => postgres.countRows(artifact, bytes, config, signal),
});
