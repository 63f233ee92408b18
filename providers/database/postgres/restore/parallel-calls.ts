import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { RestoreOptions } from "../../database.ts";
import { makeScratchFolder } from "../artifacts/scratch-folder.ts";
import type { SpooledArchive } from "../artifacts/spooled-archive.ts";
import type { ProgramDirectory } from "../programs/clients.ts";
import { archiveReader, readFrom } from "../programs/program.ts";

/** What pg_restore is called with, one call after the other, to restore an archive with several sessions. */
export interface ParallelCalls {
  readonly arguments: readonly (readonly string[])[];
  /** Removes the lists that the arguments name. */
  close(): Promise<void>;
}

/**
 * The calls that restore an archive with several sessions: one, or three where it has partitioned indexes. Their parts are attached by
 * one session then, between what the others do.
 *
 * For PostgreSQL marks a partitioned index as valid when its last part is attached, and looks then whether the index above has become valid
 * with it. The lock on that one is released before the attachment is committed (`validatePartitionedIndex`, seen with version 15).
 * So of two sessions that attach at the same time, on two levels, neither sees what the other did, and the upper index stays invalid for
 * good: `ON CONFLICT` does not find it, and no foreign key can refer to it. Of 428 calls of plain `pg_restore --jobs 6`, 3 left such an index.
 *
 * @throws ProviderError `INTEGRITY` where pg_restore cannot read the archive's table of contents; those of {@link makeScratchFolder}
 */
export async function parallelCalls(
  { path, descriptor }: SpooledArchive,
  clients: ProgramDirectory,
  { jobs, scratchDirectory, signal }: Pick<RestoreOptions, "jobs" | "scratchDirectory" | "signal">,
): Promise<ParallelCalls> {
  const stages = await stagesOf(readFrom(archiveReader(clients, ["--list", path]), signal, descriptor));
  if (stages.attachments.length < 2) {
    return { arguments: [[`--jobs=${jobs}`, path]], close: () => Promise.resolve() };
  }
  const folder = await makeScratchFolder(scratchDirectory);
  const call = async (name: keyof Stages, sessions: number) => {
    const list = join(folder.path, name);
    await writeFile(list, stages[name].map((id) => `${id};\n`).join(""), { mode: 0o600 });
    return [`--jobs=${sessions}`, `--use-list=${list}`, path];
  };
  try {
    const calls = [await call("before", jobs), await call("attachments", 1), await call("after", jobs)];
    return { arguments: calls, close: () => folder.remove() };
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

/** Numbers of an archive's entries, each list in the archive's order. */
export interface Stages {
  readonly before: readonly string[];
  /** From the first attachment of an index to the last, which pg_dump writes one after the other. */
  readonly attachments: readonly string[];
  /** With all privileges: an owner may have none on what is still to be restored. pg_restore itself gives them last. */
  readonly after: readonly string[];
}

/** An entry of `pg_restore --list`: its number, two of the server's, and the beginning of its kind where that matters here. */
const ENTRY = /^(\d+); \d+ \d+ (?:(INDEX ATTACH)|((?:DEFAULT )?ACL)|\S)/;

/** Sorts the entries of `pg_restore --list`. */
export async function stagesOf(list: Readable): Promise<Stages> {
  const before: string[] = [];
  const attachments: string[] = [];
  let after: string[] = [];
  const privileges: string[] = [];
  let rest = "";
  // The numbers and kinds are ASCII, whatever the encoding of the names is.
  for await (const piece of list.setEncoding("latin1") as AsyncIterable<string>) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, id, attachment, privilege] = ENTRY.exec(line) ?? [];
      if (id === undefined) continue;
      if (attachment !== undefined) {
        for (const each of after) attachments.push(each);
        attachments.push(id);
        after = [];
      } else if (privilege !== undefined) privileges.push(id);
      else (attachments.length === 0 ? before : after).push(id);
    }
  }
  return { before, attachments, after: [...after, ...privileges] };
}
