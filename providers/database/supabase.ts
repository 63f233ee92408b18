import { z } from "zod";
import { ProviderError, reworded } from "../errors.ts";
import { type DatabaseProvider, defineDatabase } from "./database.ts";
import { openPostgres, postgres } from "./postgres.ts";
import { postgresFormats } from "./postgres/artifacts/formats.ts";
import { countPostgresRows, verifyPostgresArtifact } from "./postgres/artifacts/verify.ts";
import { checkPostgres } from "./postgres/check.ts";
import { type Connection, parseConnectionUrl } from "./postgres/connect/connection-url.ts";
import { ConnectError, withConnection } from "./postgres/connect/control-connection.ts";
import { openBackup, plainLayout } from "./postgres/dump/backup.ts";
import { postgresFields, postgresPorts } from "./postgres/settings.ts";
import { isProject, projectLayout, supabaseScope, type SupabaseSettings } from "./supabase/backup.ts";
import { directHostFix } from "./supabase/direct-host.ts";
import { readInventory } from "./supabase/inventory.ts";
import { restoreProject } from "./supabase/restore.ts";
import { checkRootCertificates, isHosted } from "./supabase/root-certificates.ts";

const DOWNLOAD =
  "Download the certificates from the Supabase dashboard (Project Settings > Database > SSL configuration)";

/**
 * A Supabase project's database: a PostgreSQL with rules of its own for connecting.
 *
 * @throws {ProviderError} `CONFIG` where the settings cannot work
 */
function openSupabase(given: SupabaseSettings, tlsOff: boolean): DatabaseProvider {
  const connection = withSupabaseRules(given.connection, tlsOff);
  const settings = { ...given, connection };
  const postgres = openPostgres(settings);
  /** Explains what a project's direct host has to do with a failure to connect. */
  const explaining = async <Result>(work: Promise<Result>): Promise<Result> => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof ConnectError) || (error.code !== "TRANSIENT" && error.code !== "CONFIG")) throw error;
      throw reworded(error, (own) => own, await directHostFix(connection));
    }
  };
  return {
    kind: "supabase",
    description: postgres.description,
    backup: (options) =>
      explaining(
        openBackup(settings, options, async (control) =>
          (await isProject(control)) ? projectLayout(settings, control) : plainLayout(settings, control),
        ),
      ),
    identify: (signal) => explaining(postgres.identify(signal)),
    async restore(artifacts, options) {
      const project = await explaining(withConnection(connection, options.signal, isProject));
      return explaining(project ? restoreProject(settings, artifacts, options) : postgres.restore(artifacts, options));
    },
    createScratch: (options) => explaining(postgres.createScratch(options)),
    async *check(signal, lock) {
      yield await checkRootCertificates(connection);
      for await (const check of checkPostgres(settings, signal, lock, (control) => supabaseScope(settings, control))) {
        const unreachable = check.name === "connection" && !check.ok;
        const fix = unreachable ? await directHostFix(connection) : undefined;
        yield fix === undefined ? check : { ...check, fix };
      }
    },
  };
}

/**
 * The connection with Supabase's rules: a server over the network must prove who it is, unless the job turns TLS off for one that is
 * not Supabase's own. A URL with `sslrootcert` is verified in any case.
 *
 * @throws {ProviderError} `CONFIG` where the rules are broken
 */
function withSupabaseRules(connection: Connection, tlsOff: boolean): Connection {
  const { hosts, sslMode, sslRootCertificate, user } = connection;
  const hosted = isHosted(connection);
  if (hosts.some(({ port }) => port === 6543)) {
    const problem = "Port 6543 is Supabase's pooler in transaction mode, which cannot hold a snapshot for pg_dump.";
    throw new ProviderError("CONFIG", problem, {
      fix: hosted
        ? "Use the session pooler (postgres.<ref>@aws-<n>-<region>.pooler.supabase.com:5432) or the direct host " +
          "(postgres@db.<ref>.supabase.co:5432); the dashboard's Connect button shows both."
        : "Use the pooler's port for sessions (5432, as postgres.<tenant>), or the database's own port.",
    });
  }
  if (hosts.some(({ host }) => host.endsWith(".pooler.supabase.com")) && !user.includes(".")) {
    const problem = `Supabase's pooler does not know which project the user ${user} belongs to.`;
    throw new ProviderError("CONFIG", problem, {
      fix: "Append the project's reference to the user's name, as the dashboard's Connect button does: postgres.<ref>.",
    });
  }
  if (tlsOff && hosted && sslRootCertificate === undefined) {
    throw new ProviderError("CONFIG", "tls: off is not allowed for a server of Supabase's own.", {
      fix: "Remove `tls` and set `rootCertificate`; or append sslrootcert=/path to this connection URL.",
    });
  }
  if (sslMode !== undefined && sslMode !== "verify-full" && !(tlsOff && sslMode === "disable")) {
    throw new ProviderError("CONFIG", `sslmode=${sslMode} does not verify that the server is the project's.`, {
      fix: `Remove sslmode from the connection URL: kind supabase uses verify-full${hosted ? "" : ", and no TLS with `tls: off` on the database"}.`,
    });
  }
  if (tlsOff && sslRootCertificate === undefined) return { ...connection, sslMode: "disable" };
  // Over the network only: TLS is not spoken on a unix socket.
  if (sslRootCertificate === undefined && hosts.some(({ host }) => !host.startsWith("/"))) {
    throw new ProviderError("CONFIG", "rootCertificate is missing: nothing proves that the server is the project's.", {
      fix: hosted
        ? `${DOWNLOAD}, put the file on the runner's machine, and set \`rootCertificate\` to its absolute path.`
        : "Set `rootCertificate` to the absolute path of the certificate of the authority that signed the server's; or, inside a private " +
          "network, set `tls: off`.",
    });
  }
  return sslRootCertificate === undefined ? connection : { ...connection, sslMode: "verify-full" };
}

/** `kind: supabase` */
export const supabase = defineDatabase({
  schema: z.strictObject({
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
  }),
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
  create: (config, context) =>
    // A throw inside becomes a rejection, as everywhere else.
    Promise.resolve().then(() => {
      const { clients, lockTimeoutSeconds, tls, vault } = config;
      if (tls === "off" && config.rootCertificate !== undefined) {
        throw new ProviderError("CONFIG", "tls: off and rootCertificate contradict each other.", {
          fix: "Remove `tls` to verify the server, or `rootCertificate` to connect without TLS.",
        });
      }
      const connection = parseConnectionUrl(context.secrets.url ?? "");
      const sslRootCertificate = config.rootCertificate ?? connection.sslRootCertificate;
      const settings = { clients, lockTimeoutSeconds, vault, selection: config };
      return openSupabase({ ...settings, connection: { ...connection, sslRootCertificate } }, tls === "off");
    }),
  async verify(artifact, bytes, config, signal) {
    if (artifact.format === "inventory") await readInventory(artifact.name, bytes);
    else await verifyPostgresArtifact(artifact, bytes, config, signal);
  },
  countRows: (artifact, bytes, config, signal) => countPostgresRows(artifact, bytes, config, signal),
});
