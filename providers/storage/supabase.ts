import { defineStorage } from "./storage.ts";
import { supabaseSchema } from "./supabase/config.ts";

/** Keeps objects in a bucket of Supabase Storage. */
export const supabase = defineStorage({
  schema: supabaseSchema,
  secrets: ["key", "s3.accessKeyId", "s3.secretAccessKey"],
  place: ({ url, bucket, prefix }) => [url.replace(/\/$/, ""), bucket, prefix],
  projectBucket: ({ url, bucket }) => ({ url, bucket }),
  create: async (config, { secrets }) => (await import("./supabase/store.ts")).openSupabaseStorage(config, secrets),
});
