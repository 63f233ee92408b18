import { z } from "zod";
import { ProviderError, toProviderError } from "../errors.ts";
import type {
  BackupOptions,
  Check,
  DatabaseBackup,
  DatabaseIdentity,
  DatabaseProvider,
  RestoreArtifact,
  RestoreOptions,
  RestoreReport,
  ScratchDatabase,
  ScratchOptions,
} from "./database.ts";
import { defineDatabase } from "./database.ts";
import { PostgresDatabaseProvider } from "./postgres.ts";
import { openBackup, plainLayout } from "./postgres/dump/backup.ts";
import { checkPostgres } from "./postgres/check.ts";
import { type Connection, parseConnectionUrl } from "./postgres/connect/connection-url.ts";
import { connect } from "./postgres/connect/control-connection.ts";
import { postgresFields, postgresPorts } from "./postgres/settings.ts";
import { countPostgresRows, verifyPostgresArtifact } from "./postgres/artifacts/verify.ts";
import { isProject, projectLayout, supabaseScope, type SupabaseSettings } from "./supabase/backup.ts";
import { directHostFix } from "./supabase/direct-host.ts";
import { readInventory } from "./supabase/inventory.ts";
import { restoreProject } from "./supabase/restore.ts";
import { checkRootCertificates } from "./supabase/root-certificates.ts";

const download =
  "Download the certificates from the Supabase dashboard (Project Settings > Database > SSL configuration)";

/** A Supabase project's database: a PostgreSQL with rules of its own for connecting. */
export class SupabaseDatabaseProvider implements DatabaseProvider {
  readonly kind = "supabase";
  readonly description: string;
  readonly #settings: SupabaseSettings;
  readonly #connection: Connection;
  readonly #postgres: PostgresDatabaseProvider;

  /** @throws {ProviderError} `CONFIG` where the settings cannot work */
  constructor(settings: SupabaseSettings) {
    this.#settings = settings;
    this.#connection = withSupabaseRules(settings.connection);
    this.#postgres = new PostgresDatabaseProvider({ ...settings, connection: this.#connection });
    this.description = this.#postgres.description;
  }

  backup(options: BackupOptions): Promise<DatabaseBackup> {
    const settings = { ...this.#settings, connection: this.#connection };
    return this.#explaining(() =>
      openBackup(settings, options, async (control) =>
        (await isProject(control)) ? projectLayout(settings, control) : plainLayout(settings, control),
      ),
    );
  }

  identify(signal: AbortSignal): Promise<DatabaseIdentity> {
    return this.#explaining(() => this.#postgres.identify(signal));
  }

  restore(artifacts: readonly RestoreArtifact[], options: RestoreOptions): Promise<RestoreReport> {
    return this.#explaining(async () => {
      const settings = { ...this.#settings, connection: this.#connection };
      const control = await connect(settings.connection, options.signal);
      const project = await isProject(control).finally(() => control.close());
      return project ? restoreProject(settings, artifacts, options) : this.#postgres.restore(artifacts, options);
    });
  }

  createScratch(options: ScratchOptions): Promise<ScratchDatabase> {
    return this.#explaining(() => this.#postgres.createScratch(options));
  }

  async *check(signal: AbortSignal, lock?: string): AsyncIterable<Check> {
    yield await checkRootCertificates(this.#connection);
    const settings = { ...this.#settings, connection: this.#connection };
    const checks = checkPostgres(settings, signal, lock, (control) => supabaseScope(settings, control));
    for await (const check of checks) {
      const fix = check.name === "connection" && !check.ok ? await directHostFix(this.#connection) : undefined;
      yield fix === undefined ? check : { ...check, fix };
    }
  }

  /** Says what a project's direct host has to do with a failure to reach it. */
  async #explaining<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      const problem = toProviderError(error);
      const fix = /^Cannot connect|^None of the hosts/.test(problem.message)
        ? await directHostFix(this.#connection)
        : undefined;
      if (fix === undefined || (problem.code !== "TRANSIENT" && problem.code !== "CONFIG")) throw problem;
      throw new ProviderError(problem.code, problem.message, { cause: error, fix });
    }
  }
}

function withSupabaseRules(connection: Connection): Connection {
  if (connection.hosts.some(({ port }) => port === 6543)) {
    throw new ProviderError(
      "CONFIG",
      "Port 6543 is Supabase's pooler in transaction mode, which cannot hold a snapshot for pg_dump.",
      {
        fix:
          "Use the session pooler (postgres.<ref>@aws-<n>-<region>.pooler.supabase.com:5432) or the direct host " +
          "(postgres@db.<ref>.supabase.co:5432); the dashboard's Connect button shows both.",
      },
    );
  }
  if (connection.hosts.some(({ host }) => host.endsWith(".pooler.supabase.com")) && !connection.user.includes(".")) {
    throw new ProviderError(
      "CONFIG",
      `Supabase's pooler does not know which project the user ${connection.user} belongs to.`,
      {
        fix: "Write the project's reference behind the user's name, as the dashboard's Connect button does: postgres.<ref>.",
      },
    );
  }
  if (connection.sslMode !== undefined && connection.sslMode !== "verify-full") {
    throw new ProviderError("CONFIG", `sslmode=${connection.sslMode} does not prove that the server is Supabase's.`, {
      fix: "Remove sslmode from the connection URL: kind supabase always uses verify-full.",
    });
  }
  // Over the network only: TLS is not spoken on a unix socket.
  if (connection.sslRootCertificate === undefined && connection.hosts.some(({ host }) => !host.startsWith("/"))) {
    throw new ProviderError("CONFIG", "Nothing says which certificates prove that the server is Supabase's.", {
      fix: `${download}, put the file on the runner's machine, and set \`rootCertificate\` to its absolute path.`,
    });
  }
  return connection.sslRootCertificate === undefined ? connection : { ...connection, sslMode: "verify-full" };
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
          `${download}; keep the 2021 and the 2025 one in one file. \`system\` takes the operating system's authorities, for a ` +
          "self-hosted Supabase. Default: sslrootcert of the connection URL.",
      )
      .meta({ examples: ["/etc/provision/supabase-ca.crt"] }),
    vault: z
      .enum(["leave-out", "export"])
      .default("leave-out")
      .describe(
        "What happens to the secrets in Supabase Vault. `leave-out`: they are not in the backup, which says so. `export`: they are, " +
          "decrypted, and the job must have `encryption`. Default leave-out.",
      ),
  }),
  secrets: ["url"],
  ports: postgresPorts,
  create(config, context) {
    // A throw inside becomes a rejection, as everywhere else.
    return Promise.resolve().then(() => {
      const connection = parseConnectionUrl(context.secrets.url ?? "");
      const sslRootCertificate = config.rootCertificate ?? connection.sslRootCertificate;
      return new SupabaseDatabaseProvider({
        connection: { ...connection, sslRootCertificate },
        clients: config.clients,
        lockTimeoutSeconds: config.lockTimeoutSeconds,
        vault: config.vault,
        selection: config,
      });
    });
  },
  async verify(artifact, bytes, config) {
    if (artifact.format === "inventory") await readInventory(artifact.name, bytes);
    else await verifyPostgresArtifact(artifact, bytes, config);
  },
  countRows: (artifact, bytes, config) => countPostgresRows(artifact, bytes, config),
});
