import { z } from "zod";
import type { ProviderContext } from "../definition.ts";
import { filesystem } from "./filesystem.ts";
import type { StorageProvider } from "./storage.ts";

/** Every kind of storage, by the name that a configuration uses. To add one: write its file, name it here. */
export const storageProviders = { filesystem };

/** The configuration of any storage. */
export const StorageConfig = z.discriminatedUnion("kind", [filesystem.schema]);

/** The configuration of any storage; see the schema of the same name. */
export type StorageConfig = z.output<typeof StorageConfig>;

/** Makes the storage that a configuration describes. */
export function createStorage(config: StorageConfig, context: ProviderContext): Promise<StorageProvider> {
  return storageProviders[config.kind].create(config, context);
}
