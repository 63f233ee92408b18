import { z } from "zod";
import { retryFields } from "../../retry.ts";
import { SecretRef } from "../../fields/secret-ref.ts";
import { storageFields } from "../storage.ts";
import { projectUrl } from "../../supabase/project-url.ts";

/** The configuration of a bucket of Supabase Storage. */
export const supabaseSchema = z
  .strictObject({
    kind: z.literal("supabase").describe("A bucket of a Supabase project's Storage."),
    url: projectUrl,
    bucket: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
        error: "expected a bucket's name: 1 to 63 letters, digits, '.', '_' and '-', a letter or a digit first",
      })
      .describe("Name of the bucket. It must exist, and should be private.")
      .meta({ examples: ["backups"] }),
    key: SecretRef.optional().describe(
      "The project's secret key (sb_secret_…) or its legacy service_role key. Large objects go by the resumable protocol, in " +
        "which the service takes up to 58 GiB. Left out: `s3` is set.",
    ),
    s3: z
      .strictObject({
        region: z
          .string()
          .regex(/^[a-z0-9-]+$/, { error: "expected the name of a region, such as eu-central-1" })
          .describe("The project's region, as the dashboard (Storage > S3) shows it.")
          .meta({ examples: ["eu-central-1"] }),
        accessKeyId: SecretRef.describe("Id of an S3 access key of the project, made in the dashboard (Storage > S3)."),
        secretAccessKey: SecretRef.describe("The access key's secret."),
      })
      .optional()
      .describe(
        "Use the project's S3 protocol, in place of `key`: faster, and for objects up to 5 TiB. It does not refuse to " +
          "overwrite: it is looked before each object whether one exists, which two writers at the same moment can miss.",
      ),
    ...storageFields,
    ...retryFields,
  })
  .refine(({ key, s3 }) => (key === undefined) !== (s3 === undefined), {
    error: "expected either key or s3, and not both",
  });

/** The configuration of a bucket of Supabase Storage. */
export type SupabaseStorageConfig = z.output<typeof supabaseSchema>;
