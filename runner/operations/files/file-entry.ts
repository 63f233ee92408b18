import { createHash } from "node:crypto";
import { z } from "zod";
import { ProviderError } from "../../../providers/errors.ts";
import type { FileFacts, ListedFile } from "../../../providers/files/files.ts";
import { CONTENT_OBJECT } from "../../../providers/layout.ts";
import { beyond, FILE_FACTS } from "../../backups/documents/document-bounds.ts";
import { Measured } from "../../backups/documents/manifest.ts";

/** A file with its attributes, as the index of a backup has it. */
const Facts = z.strictObject({
  bucket: z.string(),
  path: z.string(),
  size: z.int().min(0),
  etag: z.string(),
  modified: z.string(),
  contentType: z.string().optional(),
  cacheControl: z.string().optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

/**
 * One line of a backup's index of files: which file it is, in clear (`file`) or encrypted for the recipients (`sealed`, an
 * age file in base64), and where its content is. A file of an earlier backup that has not changed keeps its line to the letter.
 */
export const FileEntry = z
  .strictObject({
    /** What tells a changed file from an unchanged one, without telling its name: see {@link fileId}. */
    id: z.string().regex(/^[0-9a-f]{64}$/),
    /** The content's object, below the job's folder. Every object is written once, and may belong to many backups. */
    object: z.string().regex(CONTENT_OBJECT),
    stored: Measured,
    plain: Measured,
    file: Facts.optional(),
    sealed: z.base64().optional(),
  })
  .refine(({ file, sealed }) => (file === undefined) !== (sealed === undefined), {
    error: "expected either file or sealed",
  });

/** One line of the index of files; see the schema of the same name. */
export type FileEntry = z.output<typeof FileEntry>;

/** How the content of a file is encrypted: as its entry is, whatever the rest of the backup. */
export function encryptionOf({ sealed }: FileEntry): "age" | null {
  return sealed === undefined ? null : "age";
}

/** Reads what {@link FileEntry} holds of a file. */
export function parseFacts(value: unknown): FileFacts {
  return Facts.parse(value);
}

/** Why a file's attributes have no place in an index; undefined where they have. Anyone who may write a file chooses them. */
export function beyondBounds(facts: FileFacts): ProviderError | undefined {
  let excess: string | undefined;
  try {
    excess = beyond([JSON.stringify(facts)], FILE_FACTS);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    excess = `they are nested more than ${FILE_FACTS.depth} levels deep`;
  }
  if (excess === undefined) return undefined;
  return new ProviderError("CONFIG", `Its attributes are more than a backup takes of a file: ${excess}.`, {
    fix: "Upload the file again with less metadata.",
  });
}

/** SHA-256 of everything that a listing tells of a file: the same id means the same content under the same name. */
export function fileId({ bucket, path, size, etag, modified }: ListedFile): string {
  return createHash("sha256")
    .update(JSON.stringify([bucket, path, size, etag, modified]))
    .digest("hex");
}
