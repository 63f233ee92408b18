import { Readable } from "node:stream";
import type { StorageProvider } from "../providers/storage/storage.ts";
import { seal } from "./sealed-json.ts";

/** Stores a sealed document under a key. */
export async function writeDocument(
  storage: StorageProvider,
  key: string,
  document: object,
  signal: AbortSignal,
): Promise<void> {
  const bytes = Buffer.from(seal(document));
  await storage.upload(key, Readable.from([bytes]), { signal, sizeEstimate: bytes.length });
}
