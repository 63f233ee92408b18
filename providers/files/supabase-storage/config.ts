import { z } from "zod";
import { retryFields } from "../../retry.ts";
import { SecretRef } from "../../fields/secret-ref.ts";
import { storageFields } from "../../storage/storage.ts";
import { projectUrl } from "../../supabase/project-url.ts";

/** The configuration of the files in a project's Storage. */
export const supabaseFilesSchema = z.strictObject({
  kind: z.literal("supabase-storage").describe("The files in the Storage of a Supabase project."),
  url: projectUrl,
  key: SecretRef.describe(
    "The project's secret key (sb_secret_…) or its legacy service_role key: policies do not bind it.",
  ),
  buckets: z
    .array(
      z
        .string()
        .min(1)
        .describe("Name of a bucket.")
        .meta({ examples: ["avatars"] }),
    )
    .min(1)
    .optional()
    .describe(
      "The buckets to back up. Left out: all that the project has at the time of the run, but those that are destinations of the job.",
    ),
  parallel: z
    .int()
    .min(1)
    .max(64)
    .default(8)
    .describe(
      "Files that are copied at the same time, 1 to 64. Default 8. Each adds up to 16 MiB of memory; of large files, fewer are copied " +
        "at a time, so that it stays so with several destinations.",
    )
    .meta({ examples: [16] }),
  stallTimeoutSeconds: storageFields.stallTimeoutSeconds,
  ...retryFields,
});

/** The configuration of the files in a project's Storage. */
export type SupabaseFilesConfig = z.output<typeof supabaseFilesSchema>;
