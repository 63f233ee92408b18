import type { z } from "zod";
import type { ProviderContext } from "../definition.ts";
import { configOf, createFrom } from "../family.ts";
import type { SecretRef } from "../fields/secret-ref.ts";
import type { FilesProvider } from "./files.ts";
import { supabaseStorage } from "./supabase-storage.ts";

/** Every kind of file source, by the name that a configuration uses. To add one: write its file, name it here. */
export const filesProviders = { "supabase-storage": supabaseStorage };

/** The configuration of any file source. */
export const FilesConfig = configOf(filesProviders);

/** The configuration of any file source; see the schema of the same name. */
export type FilesConfig = z.output<typeof FilesConfig>;

/** Makes the file source that a configuration describes. */
export function createFiles(config: FilesConfig, context: ProviderContext): Promise<FilesProvider> {
  return createFrom(filesProviders, config, context);
}

/**
 * The configuration of the place at a URL.
 *
 * @param source the job's files, whose kind and settings count there too. Left out: the kind that is assumed.
 */
export function filesAt(url: string, key: SecretRef, source: FilesConfig | undefined): FilesConfig {
  const [kind] = Object.entries(filesProviders).find(([, { assumed }]) => assumed === true) ?? [];
  return FilesConfig.parse({ ...(source ?? { kind }), url, key });
}
