import type { ProviderContext } from "../../definition.ts";
import { ProviderError, reworded } from "../../errors.ts";
import type { DatabaseProvider } from "../database.ts";
import { checkPostgres } from "../postgres/check.ts";
import { type Connection, parseConnectionUrl } from "../postgres/connect/connection-url.ts";
import { ConnectError, withConnection } from "../postgres/connect/control-connection.ts";
import { openBackup, plainLayout } from "../postgres/dump/backup.ts";
import { openPostgres } from "../postgres/open.ts";
import { isProject, projectLayout, supabaseScope, type SupabaseSettings } from "./backup.ts";
import { DOWNLOAD, type SupabaseConfig } from "./config.ts";
import { directHostFix } from "./direct-host.ts";
import { restoreProject } from "./restore.ts";
import { checkRootCertificates, isHosted } from "./root-certificates.ts";

/**
 * A Supabase project's database: a PostgreSQL with rules of its own for connecting.
 *
 * @throws {ProviderError} `CONFIG` where the settings cannot work
 */
function openProject(given: SupabaseSettings, tlsOff: boolean): DatabaseProvider {
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
 * The connection with Supabase's rules: a server over the network must prove who it is, unless the job or the URL turns TLS off for one
 * that is not Supabase's own. A URL with `sslrootcert` is verified in any case.
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
      fix: `Remove sslmode from the connection URL: kind supabase uses verify-full${hosted ? "" : ", and no TLS with sslmode=disable or `tls: off`"}.`,
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

/**
 * Opens the database of a Supabase project that a configuration describes.
 *
 * @throws {ProviderError} `CONFIG` where the configuration cannot work
 */
export function openSupabase(config: SupabaseConfig, secrets: ProviderContext["secrets"]): DatabaseProvider {
  const { clients, lockTimeoutSeconds, tls, vault } = config;
  const connection = parseConnectionUrl(secrets.url ?? "");
  const inUrl =
    connection.sslMode === "disable" && connection.sslRootCertificate === undefined && !isHosted(connection);
  const off = tls === "off" || inUrl;
  if (off && config.rootCertificate !== undefined) {
    const [what, where] =
      tls === "off" ? ["tls: off", "`tls`"] : ["sslmode=disable", "sslmode from the connection URL"];
    throw new ProviderError("CONFIG", `${what} and rootCertificate contradict each other.`, {
      fix: `Remove ${where} to verify the server; or, to connect without TLS, remove \`rootCertificate\` from the job, for a restore from a copy of it.`,
    });
  }
  const sslRootCertificate = config.rootCertificate ?? connection.sslRootCertificate;
  const settings = { clients, lockTimeoutSeconds, vault, selection: config };
  return openProject({ ...settings, connection: { ...connection, sslRootCertificate } }, off);
}
