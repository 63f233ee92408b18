import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { abortedError } from "../../../errors.ts";
import type { RestoreArtifact, RestoreOptions } from "../../database.ts";
import { unpackArchive } from "./directory-archive.ts";
import { explainFull, makeScratchFolder } from "./scratch-folder.ts";

/** An archive as a file or a folder, as pg_restore's workers need it to read from several places at once. */
export interface SpooledArchive {
  /** What pg_restore opens. */
  readonly path: string;
  /** An open file that pg_restore needs as its descriptor 3. */
  readonly descriptor?: number;
  close(): Promise<void>;
}

/**
 * Writes an archive into scratch space. When it resolves, every byte of the archive is verified.
 *
 * @throws ProviderError `CONFIG` where there is no such folder, `QUOTA` where it has no room; errors of the archive's stream
 */
export async function spool(
  archive: RestoreArtifact,
  { scratchDirectory, signal }: Pick<RestoreOptions, "scratchDirectory" | "signal">,
): Promise<SpooledArchive> {
  try {
    if (archive.format === "pg_dump-directory") {
      const folder = await unpackArchive(archive.open(signal), scratchDirectory, { signal, size: archive.size });
      return { path: folder.path, close: () => folder.remove() };
    }
    return await spoolFile(archive, scratchDirectory, signal);
  } catch (error) {
    throw signal.aborted ? abortedError(signal) : error;
  }
}

async function spoolFile(archive: RestoreArtifact, parent: string, signal: AbortSignal): Promise<SpooledArchive> {
  const folder = await makeScratchFolder(parent);
  const file = join(folder.path, "archive.dump");
  let handle: FileHandle | undefined;
  const close = async (): Promise<void> => {
    await handle?.close();
    await folder.remove();
  };
  try {
    handle = await open(file, "wx+", 0o600);
    // Linux opens a descriptor's file again by this name even when it has no other, so a kill -9 leaves nothing behind.
    const nameless = process.platform === "linux";
    if (nameless) await folder.remove();
    await handle.writeFile(archive.open(signal), { signal });
    return { descriptor: handle.fd, path: nameless ? "/proc/self/fd/3" : file, close };
  } catch (error) {
    await close();
    throw await explainFull(error, parent, archive.size);
  }
}
