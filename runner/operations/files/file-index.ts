import type { Readable } from "node:stream";
import { ProviderError } from "../../../providers/errors.ts";
import { backupKey, FILE_INDEX } from "../../../providers/layout.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { JobName } from "../../backups/catalogue/backup-folder.ts";
import { beyond, FILE_LINE } from "../../backups/documents/document-bounds.ts";
import type { Manifest, ManifestObject } from "../../backups/documents/manifest.ts";
import { openPlain } from "../../backups/open-plain.ts";
import { FileEntry } from "./file-entry.ts";

/** The object of a backup that lists its files; undefined for a backup without files. */
export function fileIndexOf(manifest: Manifest): ManifestObject | undefined {
  return manifest.objects.find(({ format }) => format === FILE_INDEX.format);
}

/** Where an index is. */
interface IndexPlace {
  readonly storage: StorageProvider;
  readonly job: JobName;
  readonly manifest: Manifest;
}

/**
 * The entries of a backup's index, none for a backup without files.
 *
 * @throws ProviderError `INTEGRITY` where the index is not what was written.
 */
export async function* readFileIndex(place: IndexPlace, signal: AbortSignal): AsyncGenerator<FileEntry> {
  const { storage, job, manifest } = place;
  const object = fileIndexOf(manifest);
  if (object === undefined) return;
  const key = backupKey(job, manifest.id, object.file);
  const bytes = openPlain({ storage, key, object, fileKey: undefined }, signal);
  for await (const line of linesOf(bytes)) yield parseEntry(key, line);
}

function parseEntry(key: string, line: string): FileEntry {
  const excess = beyond([line], FILE_LINE);
  if (excess !== undefined) throw new ProviderError("INTEGRITY", `${key}: a line is no entry of a file: ${excess}.`);
  try {
    return FileEntry.parse(JSON.parse(line));
  } catch (error) {
    throw new ProviderError("INTEGRITY", `${key}: a line is no entry of a file.`, { cause: error });
  }
}

/** A line without an end is given as it is once it is too long for an entry: the reader refuses it. */
async function* linesOf(bytes: Readable): AsyncGenerator<string> {
  let rest = "";
  for await (const text of bytes.setEncoding("utf8") as AsyncIterable<string>) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
    if (rest.length > FILE_LINE.bytes) yield rest;
  }
  // An index that was written whole ends with a line's end.
  if (rest !== "") yield rest;
}
