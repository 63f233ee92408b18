import { createHash } from "node:crypto";
import type { z } from "zod";
import { ProviderError } from "../../../providers/errors.ts";
import { beyond, DOCUMENT } from "./document-bounds.ts";
import { jsonPieces } from "./json-pieces.ts";

/** A document as its text has it, but for the checksum, in pieces. */
export function piecesOf(document: object): Generator<string> {
  return jsonPieces(document, 2);
}

/**
 * Writes a document whose every byte is covered by a checksum of its own, and by a signature where there are keys. The signature
 * and the checksum are the last two lines but that of the bracket.
 */
export function seal(document: object, keys?: Signing): string {
  return [...sealInPieces(document, keys)].join("");
}

/** The text of {@link seal} in pieces. */
export function sealInPieces(document: object, keys?: Signing): Generator<string> {
  return withChecksum(keys === undefined ? document : { ...document, signature: keys.sign({ ...document }) });
}

/** Signs documents. */
export interface Signing {
  sign(document: SealedDocument): string;
}

function* withChecksum(document: object): Generator<string> {
  const hash = createHash("sha256");
  for (const piece of jsonPieces(document, 0)) hash.update(piece);
  yield* piecesOf({ ...document, checksum: `sha256:${hash.digest("hex")}` });
  yield "\n";
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
  const excess = beyond([text], DOCUMENT);
  if (excess !== undefined) throw new ProviderError("INTEGRITY", `${name} is not what was written: ${excess}.`);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw damaged();
  }
  if (typeof content !== "object" || content === null) throw damaged();
  const document = Object.fromEntries(Object.entries(content).filter(([name]) => name !== "checksum"));
  let at = 0;
  for (const piece of withChecksum(document)) {
    if (!text.startsWith(piece, at)) throw damaged();
    at += piece.length;
  }
  if (at !== text.length) throw damaged();
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
