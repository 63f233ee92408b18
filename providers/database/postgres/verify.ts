import type { Readable } from "node:stream";
import type { RestoreArtifact } from "../database.ts";
import { chooseClients, majorVersion } from "./clients.ts";
import { feed } from "./program.ts";
import { readRoles } from "./roles-sql.ts";

/** Reads an artifact of PostgreSQL's programs to its end; see `DatabaseDefinition.verify`. */
export async function verifyPostgresArtifact(
  artifact: Pick<RestoreArtifact, "name" | "format" | "clientVersion">,
  bytes: Readable,
  clients: string | undefined,
): Promise<void> {
  try {
    switch (artifact.format) {
      case "roles-sql":
        await readRoles(bytes);
        return;
      case "pg_dump-custom": {
        const needed = majorVersion(artifact.clientVersion);
        const program = await chooseClients(needed, `pg_dump ${artifact.clientVersion} wrote the archive`, clients);
        const env = { PATH: process.env.PATH ?? "", LC_ALL: "C" };
        // `--list` would not do: it reads the table of contents alone, and accepts an archive that is cut off.
        const restore = {
          name: "pg_restore",
          args: ["--file=/dev/null"],
          otherwise: "INTEGRITY",
          secrets: [],
        } as const;
        await feed({ ...restore, clients: program, env }, bytes, new AbortController().signal);
      }
    }
  } finally {
    bytes.destroy();
  }
}
