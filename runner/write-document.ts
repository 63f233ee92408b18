import { Readable } from "node:stream";
import type { StorageProvider } from "../providers/storage/storage.ts";
import { DOCUMENT, requireWithin } from "./document-bounds.ts";
import { seal } from "./sealed-json.ts";

/** Stores a sealed document under a key. `CONFIG` where it is larger than what is read again. */
export async function writeDocument(
  storage: StorageProvider,
  key: string,
  document: object,
  signal: AbortSignal,
): Promise<void> {
  const text = seal(document);
  requireWithin(key, text, DOCUMENT, "Divide the database's schemas among several jobs, with include and exclude.");
  const bytes = Buffer.from(text);
  await storage.upload(key, Readable.from([bytes]), { signal, sizeEstimate: bytes.length });
}
