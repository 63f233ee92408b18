import type { z } from "zod";
import type { ProviderContext } from "../definition.ts";
import { configOf, createFrom } from "../family.ts";
import { dropbox } from "./dropbox.ts";
import { filesystem } from "./filesystem.ts";
import { googleDrive } from "./google-drive.ts";
import { s3 } from "./s3.ts";
import type { BucketRequest, StackBucket, StorageProvider } from "./storage.ts";
import { supabase } from "./supabase.ts";

/** Every kind of storage, by the name that a configuration uses. To add one: write its file, name it here. */
export const storageProviders = { filesystem, s3, dropbox, "google-drive": googleDrive, supabase };

/** The configuration of any storage. */
export const StorageConfig = configOf(storageProviders);

export type { StackBucket } from "./storage.ts";

/** The configuration of any storage; see the schema of the same name. */
export type StorageConfig = z.output<typeof StorageConfig>;

/** Makes the storage that a configuration describes. */
export function createStorage(config: StorageConfig, context: ProviderContext): Promise<StorageProvider> {
  return createFrom(storageProviders, config, context);
}

/** A text that is equal for configurations of one place, whatever else they say. */
export function placeOf(config: StorageConfig): string {
  return JSON.stringify([config.kind, storageProviders[config.kind].place?.(config as never) ?? config]);
}

/** The bucket that a store is, where it is one of the project at that URL. */
export function bucketIn(url: string, config: StorageConfig): string | undefined {
  const place = storageProviders[config.kind].projectBucket?.(config as never);
  return place !== undefined && new URL(place.url).href === new URL(url).href ? place.bucket : undefined;
}

/** Whether a store is a folder on the runner's machine. */
export function isFolder({ kind }: StorageConfig): boolean {
  return storageProviders[kind].folder !== undefined;
}

/** The path that a configuration names on the runner's machine. Undefined where it names none, or the store is elsewhere. */
export function folderOf(config: StorageConfig): string | undefined {
  return storageProviders[config.kind].folder?.path(config as never);
}

/** The configuration, with a path where the store is a folder and has none. */
export function withFolder(config: StorageConfig, path: string): StorageConfig {
  return storageProviders[config.kind].folder?.at(config as never, path) ?? config;
}

/** Opens a folder on this machine as a store. It is made if it does not exist. */
export function openFolder(path: string): Promise<StorageProvider> {
  return createStorage(filesystem.schema.parse({ kind: "filesystem", path }), { secrets: {} });
}

/** The kind of which the target `aws` can make the bucket. */
export const STACK_BUCKET_KIND = s3.schema.shape.kind.value;

/** What a configuration that leaves its bucket to the target `aws` asks of it; undefined for all others. */
export function bucketRequest(config: StorageConfig): BucketRequest | undefined {
  return storageProviders[config.kind].stackBucket?.request(config as never);
}

/** The configuration, with the stack's bucket where it leaves its bucket to the target `aws`. */
export function withStackBucket(config: StorageConfig, bucket: StackBucket): StorageConfig {
  if (bucketRequest(config) === undefined) return config;
  return storageProviders[config.kind].stackBucket?.use(config as never, bucket) ?? config;
}

/** Days for which what is written stays stored although it is removed; undefined where it does not. */
export function lockDays(config: StorageConfig): number | undefined {
  return storageProviders[config.kind].lockDays?.(config as never);
}

/** What it means that a new object could be removed at once; see `StorageDefinition.removedAtOnce`. */
export function removedAtOnce(config: StorageConfig): string | undefined {
  return storageProviders[config.kind].removedAtOnce?.(config as never);
}
