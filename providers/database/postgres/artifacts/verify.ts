import { Readable } from "node:stream";
import { ProviderError } from "../../../errors.ts";
import type { Programs, RestoreArtifact, TableRows } from "../../database.ts";
import { chooseClients, majorVersion } from "../programs/clients.ts";
import { isArchive } from "./formats.ts";
import { CopyCounter } from "./copy-counter.ts";
import { unpackArchive } from "./directory-archive.ts";
import { archiveReader, feed } from "../programs/program.ts";
import { checkPart } from "./sql-artifact.ts";
import { readRoles } from "../roles/roles-sql.ts";

/** Reads an artifact of PostgreSQL's programs to its end; see `DatabaseDefinition.verify`. */
export async function verifyPostgresArtifact(
  artifact: Pick<RestoreArtifact, "name" | "format" | "clientVersion">,
  bytes: Readable,
  programs: Programs,
  signal: AbortSignal,
): Promise<void> {
  try {
    switch (artifact.format) {
      case "roles-sql":
        await readRoles(bytes);
        return;
      case "sql":
        await checkPart(artifact.name, bytes);
        return;
      case "pg_dump-custom":
      case "pg_dump-directory":
        // `--list` would not do: it reads the table of contents alone, and accepts an archive that is cut off.
        await readArchive(artifact, bytes, programs, signal, ["--file=/dev/null"]);
        return;
      default:
        throw new ProviderError(
          "INTEGRITY",
          `${artifact.name} has the format ${artifact.format}, which is none of PostgreSQL's.`,
        );
    }
  } finally {
    bytes.destroy();
  }
}

/** Counts the rows in an archive of pg_dump; see `DatabaseDefinition.countRows`. */
export async function countPostgresRows(
  artifact: Pick<RestoreArtifact, "name" | "format" | "clientVersion">,
  bytes: Readable,
  programs: Programs,
  signal: AbortSignal,
): Promise<TableRows[]> {
  try {
    if (!isArchive(artifact)) {
      throw new ProviderError("INTERNAL", `${artifact.name} is no archive of tables.`);
    }
    const counter = new CopyCounter();
    await readArchive(artifact, bytes, programs, signal, ["--data-only", "--file=-"], (piece) => {
      counter.write(piece);
    });
    return counter.finish();
  } finally {
    bytes.destroy();
  }
}

/**
 * Has pg_restore read an archive to its end.
 *
 * @param output takes what it writes
 */
async function readArchive(
  { format, clientVersion }: Pick<RestoreArtifact, "format" | "clientVersion">,
  bytes: Readable,
  programs: Programs,
  signal: AbortSignal,
  args: readonly string[],
  output?: (piece: Buffer) => void,
): Promise<void> {
  const reason = `pg_dump ${clientVersion} wrote the archive`;
  const clients = await chooseClients(majorVersion(clientVersion), reason, programs.clients);
  if (format === "pg_dump-custom") {
    await feed(archiveReader(clients, args), bytes, signal, output);
    return;
  }
  const folder = await unpackArchive(bytes, programs.scratch);
  try {
    await feed(archiveReader(clients, [...args, folder.path]), Readable.from([]), signal, output);
  } finally {
    await folder.remove();
  }
}
