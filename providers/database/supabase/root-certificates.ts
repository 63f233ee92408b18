import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Check } from "../database.ts";
import type { Connection } from "../postgres/connect/connection-url.ts";

/** SHA-256 fingerprints of the two roots, as Supabase's own command-line program carries them. */
const ROOTS = [
  {
    name: "the root of 2021",
    fingerprint: "80:70:25:AD:50:D4:ED:21:9D:2C:9C:7D:29:9C:00:4F:82:4E:B0:0C:F7:F6:5A:FE:F6:07:D0:7B:72:E6:CA:FA",
  },
  {
    name: "the root of 2025",
    fingerprint: "5F:9B:77:95:1A:7A:A1:30:3F:9B:58:EE:A9:BF:A8:9E:35:8C:FD:C1:5F:97:86:FF:10:D4:93:0A:72:2C:9A:E2",
  },
];

const CHECK_NAME = "root certificates";

/** Whether a server is one of Supabase's own. */
export function isHosted({ hosts }: Connection): boolean {
  return hosts.some(({ host }) => /\.supabase\.(co|com)\.?$/i.test(host));
}

/** Says whether the file holds Supabase's real roots, where the servers are Supabase's own. */
export async function checkRootCertificates(connection: Connection): Promise<Check> {
  const { sslMode, sslRootCertificate: file } = connection;
  if (file === undefined) {
    const detail = sslMode === "disable" ? "none, because TLS is off" : "a unix socket needs none";
    return { name: CHECK_NAME, ok: true, detail };
  }
  if (!isHosted(connection))
    return { name: CHECK_NAME, ok: true, detail: `self-hosted, so those in ${file} are its own` };
  const fix =
    "Download the certificates from the Supabase dashboard (Project Settings > Database > SSL configuration), and keep the " +
    "2021 and the 2025 one in one file.";
  let fingerprints: string[];
  try {
    fingerprints = fingerprintsIn(await readFile(file, "utf8"));
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "it is not in PEM form";
    return { name: CHECK_NAME, ok: false, detail: `${file} cannot be read as certificates: ${reason}`, fix };
  }
  const missing = ROOTS.filter(({ fingerprint }) => !fingerprints.includes(fingerprint));
  if (missing.length === 0) return { name: CHECK_NAME, ok: true, detail: `${file} holds both of Supabase's roots` };
  return {
    name: CHECK_NAME,
    ok: false,
    detail: `${file} lacks ${missing.map((root) => root.name).join(" and ")} of Supabase`,
    fix,
  };
}

function fingerprintsIn(pem: string): string[] {
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return certificates.map((certificate) => new X509Certificate(certificate).fingerprint256);
}
