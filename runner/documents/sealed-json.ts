import { createHash } from "node:crypto";
import type { z } from "zod";
import { ProviderError } from "../../providers/errors.ts";
import { beyond, DOCUMENT } from "./document-bounds.ts";

/**
 * Writes a document whose every byte is covered by a checksum of its own, and by a signature where there are keys. The signature
 * and the checksum are the last two lines but that of the bracket.
 */
export function seal(document: object, keys?: { sign(document: SealedDocument): string }): string {
  return withChecksum(keys === undefined ? document : { ...document, signature: keys.sign({ ...document }) });
}

function withChecksum(document: object): string {
  const checksum = `sha256:${createHash("sha256").update(JSON.stringify(document)).digest("hex")}`;
  return JSON.stringify({ ...document, checksum }, null, 2) + "\n";
}

/** A document as it was sealed, its signature included, before its format is looked at. */
export type SealedDocument = Readonly<Record<string, unknown>>;

/**
 * The content of a text that {@link seal} wrote, of whatever format. `INTEGRITY` where a single byte differs from what was
 * written, white space included, or where it exceeds the bounds of a document.
 *
 * @param name what to call the document in an error.
 */
export function openSealed(name: string, text: string): SealedDocument {
  const damaged = () => new ProviderError("INTEGRITY", `${name} is damaged: it is not what was written.`);
  const excess = beyond(text, DOCUMENT);
  if (excess !== undefined) throw new ProviderError("INTEGRITY", `${name} is not what was written: ${excess}.`);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw damaged();
  }
  if (typeof content !== "object" || content === null) throw damaged();
  const document = Object.fromEntries(Object.entries(content).filter(([name]) => name !== "checksum"));
  if (withChecksum(document) !== text) throw damaged();
  return document;
}

/** What is signed of a document. */
export function withoutSignature(document: SealedDocument): SealedDocument {
  return Object.fromEntries(Object.entries(document).filter(([name]) => name !== "signature"));
}

/** A sealed document in its format. `CONFIG` where this version does not know that. */
export function parseSealed<Schema extends z.ZodType>(
  name: string,
  document: SealedDocument,
  schema: Schema,
): z.output<Schema> {
  const parsed = schema.safeParse(withoutSignature(document));
  if (parsed.success) return parsed.data;
  throw unknownDocument(name, undefined, parsed.error);
}

/** A sealed document is of a later version's format. */
export function unknownDocument(name: string, why?: string, cause?: unknown): ProviderError {
  const reason = why === undefined ? "" : `: ${why}`;
  return new ProviderError(
    "CONFIG",
    `${name} is whole, but this version of Provision does not know its format${reason}.`,
    {
      cause,
      fix: "Use the version that wrote it or a newer one, or restore by hand with age, zstd and pg_restore.",
    },
  );
}

/**
 * Reads a document that {@link seal} wrote. `INTEGRITY` where it is not what was written; `CONFIG` where it is whole but of a
 * format that this version does not know.
 *
 * @param name what to call the document in an error.
 */
export function unseal<Schema extends z.ZodType>(name: string, text: string, schema: Schema): z.output<Schema> {
  return parseSealed(name, openSealed(name, text), schema);
}
