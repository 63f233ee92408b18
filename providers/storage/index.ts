import type { z } from "zod";
import type { ProviderContext } from "../definition.ts";
import { configOf } from "../family.ts";
import { dropbox } from "./dropbox.ts";
import { filesystem } from "./filesystem.ts";
import { googleDrive } from "./google-drive.ts";
import { s3 } from "./s3.ts";
import type { StorageProvider } from "./storage.ts";
import { supabase } from "./supabase.ts";

/** Every kind of storage, by the name that a configuration uses. To add one: write its file, name it here. */
export const storageProviders = { filesystem, s3, dropbox, "google-drive": googleDrive, supabase };

/** The configuration of any storage. */
export const StorageConfig = configOf(storageProviders);

/** The configuration of any storage; see the schema of the same name. */
export type StorageConfig = z.output<typeof StorageConfig>;

// The kind says which definition it is, which the type checker cannot follow: hence `never` below.

/** Makes the storage that a configuration describes. */
export function createStorage(config: StorageConfig, context: ProviderContext): Promise<StorageProvider> {
  return storageProviders[config.kind].create(config as never, context);
}

/** A text that is equal for configurations of one place, whatever else they say. */
export function placeOf(config: StorageConfig): string {
  return JSON.stringify([config.kind, storageProviders[config.kind].place?.(config as never) ?? config]);
}
