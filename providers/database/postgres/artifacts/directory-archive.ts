import { createReadStream, createWriteStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Header, Pack } from "tar-stream";
import { ProviderError } from "../../../errors.ts";
import { explainFull, makeScratchFolder, type ScratchFolder } from "./scratch-folder.ts";

/** The table of contents of an archive of pg_dump's directory format. */
const CONTENTS = "toc.dat";

/** pg_dump's files: `toc.dat`, `3562.dat.zst`, `blobs_16.toc`, `blob_16906.dat.gz`. Never a path. */
const FILE = /^[a-z0-9_]+\.(dat|toc)(\.(gz|zst|lz4))?$/;

/** The files of an archive of pg_dump's directory format as one tar file, which pg_restore reads once `tar -x` has unpacked it. */
export async function* packedArchive(folder: string): AsyncGenerator<Buffer> {
  const names = await readdir(folder).catch((error: unknown) => {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    throw new ProviderError("TRANSIENT", `pg_dump's scratch folder ${folder} cannot be read: ${code}.`, {
      cause: error,
      fix: "Something removed it while the run used it. Exempt it from cleaning, or set `scratch` to another folder.",
    });
  });
  // The table of contents first: the beginning of the stream then says what is in it.
  const ordered = [CONTENTS, ...names.filter((name) => name !== CONTENTS).sort()];
  const { pack } = await import("tar-stream");
  const tar = pack();
  const writing = addAll(tar, folder, ordered);
  writing.catch((error: unknown) => {
    tar.destroy(error as Error);
  });
  try {
    yield* tar as AsyncIterable<Buffer>;
    await writing;
  } finally {
    tar.destroy();
  }
}

async function addAll(tar: Pack, folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = join(folder, name);
    const { size } = await stat(path);
    // The same mode, owner and time for all: equal archives are equal bytes.
    const entry = tar.entry({ name, size, mode: 0o600, mtime: new Date(0) });
    await pipeline(createReadStream(path), entry);
  }
  tar.finalize();
}

/**
 * Writes the files of a packed archive into a scratch folder, for pg_restore to read. The caller removes it.
 *
 * @param parent where the folder is made; default: the system's folder for temporary files
 * @param size bytes of the stream, for messages
 * @throws ProviderError `INTEGRITY` where the stream is no such archive, `QUOTA` where there is no room for it; errors of
 * the stream are passed on
 */
export async function unpackArchive(
  bytes: Readable,
  parent: string | undefined,
  { signal, size }: { readonly signal?: AbortSignal; readonly size?: number } = {},
): Promise<ScratchFolder> {
  const { extract } = await import("tar-stream");
  const folder = await makeScratchFolder(parent);
  const files = extract();
  const seen = new Set<string>();
  let written = Promise.resolve();
  files.on("entry", (header, entry, next) => {
    try {
      refuse(header, seen);
    } catch (error) {
      files.destroy(error as Error);
      return;
    }
    written = pipeline(entry, createWriteStream(join(folder.path, header.name), { flags: "wx", mode: 0o600 }));
    written.then(() => {
      next();
    }, next);
  });
  try {
    await pipeline(bytes, files, { ...(signal !== undefined && { signal }) });
    // The last file may still be in writing when all has been read.
    await written;
    if (!seen.has(CONTENTS)) throw new ProviderError("INTEGRITY", `The archive has no ${CONTENTS}.`);
    return folder;
  } catch (error) {
    await folder.remove();
    throw await explainFull(damaged(error), folder.parent, size);
  }
}

function refuse({ name, type }: Header, seen: Set<string>): void {
  if (type === "file" && FILE.test(name) && !seen.has(name)) {
    seen.add(name);
    return;
  }
  const what = `${type} ${JSON.stringify(name.slice(0, 100))}`;
  throw new ProviderError("INTEGRITY", `The archive holds a ${what}, which pg_dump never writes.`);
}

/** The extraction's own errors have no code: they mean bytes that are no tar file, or that end too early. */
function damaged(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  const isForeign = error instanceof ProviderError || (code !== undefined && code !== "ERR_STREAM_PREMATURE_CLOSE");
  if (isForeign || !(error instanceof Error) || error.name === "AbortError") return error;
  return new ProviderError("INTEGRITY", `The archive cannot be unpacked: ${message}.`, { cause: error });
}
