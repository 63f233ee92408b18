import { z } from "zod";
import { postgresFields } from "../postgres/settings.ts";

/** Where Supabase's root certificates come from, for a person. */
export const DOWNLOAD =
  "Download the certificates from the Supabase dashboard (Project Settings > Database > SSL configuration)";

/** The configuration of a Supabase project's database. */
export const supabaseSchema = z.strictObject({
  kind: z.literal("supabase").describe("A Supabase project's database."),
  ...postgresFields,
  rootCertificate: z
    .string()
    .refine((file) => file.startsWith("/") || file === "system", { error: "expected the absolute path of a file" })
    .optional()
    .describe(
      "Absolute path, on the runner's machine, of a file with Supabase's root certificates in PEM form. " +
        `${DOWNLOAD}; keep the 2021 and the 2025 one in one file. \`system\` takes the operating system's authorities, for a ` +
        "self-hosted Supabase. Default: sslrootcert of the connection URL.",
    )
    .meta({ examples: ["/etc/provision/supabase-ca.crt"] }),
  tls: z
    .enum(["verify", "off"])
    .optional()
    .describe(
      "How the connection is protected. `verify`: the server must prove by `rootCertificate` that it is the project's. `off`: without " +
        "TLS, for a self-hosted Supabase inside a private network; refused for Supabase's own servers and beside `rootCertificate`. A " +
        "connection URL with sslrootcert is verified all the same. Default verify.",
    ),
  vault: z
    .enum(["leave-out", "export"])
    .default("leave-out")
    .describe(
      "What happens to the secrets in Supabase Vault. `leave-out`: the backup does not have them, and says so. `export`: it has them, " +
        "decrypted, and the job must have `encryption`. Default leave-out.",
    ),
});

/** The configuration of a Supabase project's database. */
export type SupabaseConfig = z.output<typeof supabaseSchema>;
