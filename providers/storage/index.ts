import { z } from "zod";
import type { ProviderContext } from "../definition.ts";
import { dropbox } from "./dropbox.ts";
import { filesystem } from "./filesystem.ts";
import { googleDrive } from "./google-drive.ts";
import { s3 } from "./s3.ts";
import type { StorageProvider } from "./storage.ts";
import { supabase } from "./supabase.ts";

/** Every kind of storage, by the name that a configuration uses. To add one: write its file, name it here. */
export const storageProviders = { filesystem, s3, dropbox, "google-drive": googleDrive, supabase };

/** The configuration of any storage. */
export const StorageConfig = z.discriminatedUnion("kind", [
  filesystem.schema,
  s3.schema,
  dropbox.schema,
  googleDrive.schema,
  supabase.schema,
]);

/** The configuration of any storage; see the schema of the same name. */
export type StorageConfig = z.output<typeof StorageConfig>;

/** Makes the storage that a configuration describes. */
export function createStorage(config: StorageConfig, context: ProviderContext): Promise<StorageProvider> {
  switch (config.kind) {
    case "filesystem":
      return filesystem.create(config, context);
    case "s3":
      return s3.create(config, context);
    case "dropbox":
      return dropbox.create(config, context);
    case "google-drive":
      return googleDrive.create(config, context);
    case "supabase":
      return supabase.create(config, context);
  }
}

/** A text that is equal for configurations of one place, whatever else they say. */
export function placeOf(config: StorageConfig): string {
  // The kind says which definition it is, which the type checker cannot follow.
  return JSON.stringify([config.kind, storageProviders[config.kind].place?.(config as never) ?? config]);
}
