import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { filesystem } from "../../providers/storage/filesystem.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";

/** A folder as a store. */
export function openStore(path: string): Promise<StorageProvider> {
  return filesystem.create({ kind: "filesystem", path, stallTimeoutSeconds: 60 }, { secrets: {} });
}

/** Stores a text under each of some keys. */
export async function fill(storage: StorageProvider, keys: readonly string[], text = "x"): Promise<void> {
  for (const key of keys) await storage.upload(key, Readable.from([Buffer.from(text)]));
}

/** The keys below a folder of a store, in its order. */
export async function keysIn(storage: StorageProvider, prefix = ""): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of storage.list(prefix)) keys.push(key);
  return keys;
}

/** All files below a folder, by their paths in it, hidden ones too. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
