import { readFile } from "node:fs/promises";
import { checkServerIdentity, type ConnectionOptions, getCACertificates } from "node:tls";
import { ProviderError } from "../../../errors.ts";
import type { Connection } from "./connection-url.ts";
import { RDS_ROOTS, rdsRoots } from "./rds.ts";

/** One way to protect a connection: false for none. */
export type Tls = ConnectionOptions | false;

/** What each sslmode allows, in the order in which libpq tries it. */
export async function tlsWays(connection: Connection, host: string): Promise<Tls[]> {
  // TLS is not spoken on a unix socket.
  if (host.startsWith("/")) return [false];
  const mode = connection.sslMode ?? "prefer";
  if (mode === "disable") return [false];
  const root = connection.sslRootCertificate;
  const common: ConnectionOptions = {};
  if (connection.sslCertificate !== undefined && connection.sslKey !== undefined) {
    common.cert = await readSetting("sslcert", connection.sslCertificate);
    common.key = await readSetting("sslkey", connection.sslKey);
  }
  const unverified: Tls = { ...common, rejectUnauthorized: false };
  if (mode === "prefer") return [unverified, false];
  if (mode === "allow") return [false, unverified];
  if (mode === "require" && root === undefined) return [unverified];
  const ca = await authorities(root ?? "");
  const verified = { ...common, ca, rejectUnauthorized: true };
  // As in libpq, require with a root certificate checks the chain, and only verify-full the name too.
  const nameChecked = mode === "verify-full";
  return [
    {
      ...verified,
      checkServerIdentity: (_name, certificate) => (nameChecked ? checkServerIdentity(host, certificate) : undefined),
    },
  ];
}

async function authorities(root: string): Promise<string | string[]> {
  if (root === "system") return getCACertificates("system");
  return root === RDS_ROOTS ? rdsRoots() : readSetting("sslrootcert", root);
}

async function readSetting(name: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new ProviderError("CONFIG", `${name} ${file} cannot be read: ${code}.`, {
      fix: "Put the file there and let the runner's user read it, or correct the path.",
    });
  }
}
