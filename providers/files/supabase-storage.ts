import { defineFiles } from "./files.ts";
import { supabaseFilesSchema } from "./supabase-storage/config.ts";

/** Reads and restores the files in the Storage of a Supabase project. */
export const supabaseStorage = defineFiles({
  schema: supabaseFilesSchema,
  secrets: ["key"],
  assumed: true,
  create: async (config, { secrets }) =>
    (await import("./supabase-storage/source.ts")).openSupabaseFiles(config, secrets),
});
