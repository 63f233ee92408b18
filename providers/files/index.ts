import type { z } from "zod";
import type { ProviderContext } from "../definition.ts";
import { configOf } from "../family.ts";
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
  // The kind says which definition it is, which the type checker cannot follow.
  return filesProviders[config.kind].create(config as never, context);
}
