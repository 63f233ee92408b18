import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { RestoreOptions } from "../../database.ts";
import { makeScratchFolder } from "../artifacts/scratch-folder.ts";
import type { SpooledArchive } from "../artifacts/spooled-archive.ts";
import { tocEntry } from "../artifacts/toc.ts";
import { MessageLines } from "../messages/program-messages.ts";
import type { ProgramDirectory } from "../programs/clients.ts";
import { archiveReader, readFrom } from "../programs/program.ts";

/** Numbers of an archive's entries, each list in the archive's order. */
export interface Stages {
  readonly before: readonly string[];
  /** From the first attachment of an index to the last, which pg_dump writes one after the other. */
  readonly attachments: readonly string[];
  /** With all privileges: an owner may have none on what is still to be restored. pg_restore itself gives them last. */
  readonly after: readonly string[];
}

/**
 * The stages of an archive's restore.
 *
 * @throws ProviderError `INTEGRITY` where pg_restore cannot read the archive's table of contents
 */
export function readStages(
  { path, descriptor }: SpooledArchive,
  clients: ProgramDirectory,
  signal: AbortSignal,
): Promise<Stages> {
  return stagesOf(readFrom(archiveReader(clients, ["--list", path]), signal, descriptor));
}

/** Sorts the entries of `pg_restore --list`. */
export async function stagesOf(list: Readable): Promise<Stages> {
  const before: string[] = [];
  const attachments: string[] = [];
  let after: string[] = [];
  const privileges: string[] = [];
  const lines = new MessageLines((line) => {
    const { id, kind } = tocEntry(line) ?? {};
    if (id === undefined) return;
    if (kind === "INDEX ATTACH") {
      for (const each of after) attachments.push(each);
      attachments.push(id);
      after = [];
    } else if (kind === "ACL" || kind === "DEFAULT ACL") privileges.push(id);
    else (attachments.length === 0 ? before : after).push(id);
  });
  // The numbers and kinds are ASCII, whatever the encoding of the names is.
  for await (const piece of list.setEncoding("latin1") as AsyncIterable<string>) lines.write(piece);
  lines.finish();
  return { before, attachments, after: [...after, ...privileges] };
}

/**
 * The arguments of each call of pg_restore that restores an archive with several sessions: one call, or three where it has partitioned
 * indexes. Their parts are attached by one session then, between what the others do.
 *
 * For PostgreSQL marks a partitioned index as valid when its last part is attached, and looks then whether the index above has become valid
 * with it. The lock on that one is released before the attachment is committed (`validatePartitionedIndex`, seen with version 15).
 * So of two sessions that attach at the same time, on two levels, neither sees what the other did, and the upper index stays invalid for
 * good: `ON CONFLICT` does not find it, and no foreign key can refer to it. Of 428 calls of plain `pg_restore --jobs 6`, 3 left such an index.
 *
 * @throws ProviderError of {@link makeScratchFolder}
 */
export async function* parallelCalls(
  { before, attachments, after }: Stages,
  path: string,
  { jobs, scratchDirectory }: Pick<RestoreOptions, "jobs" | "scratchDirectory">,
): AsyncGenerator<readonly string[]> {
  if (attachments.length < 2) {
    yield [`--jobs=${jobs}`, path];
    return;
  }
  const stages = [
    { ids: before, sessions: jobs },
    { ids: attachments, sessions: 1 },
    { ids: after, sessions: jobs },
  ];
  const folder = await makeScratchFolder(scratchDirectory);
  try {
    const list = join(folder.path, "list");
    for (const { ids, sessions } of stages) {
      await writeFile(list, ids.map((id) => `${id};\n`).join(""), { mode: 0o600 });
      yield [`--jobs=${sessions}`, `--use-list=${list}`, path];
    }
  } finally {
    await folder.remove();
  }
}
