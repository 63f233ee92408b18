import { z } from "zod";

/** What a job says of the compression of its dumps. */
export const Compression = z
  .strictObject({
    level: z
      .int()
      .min(1)
      .max(19)
      .default(1)
      .describe("zstd's level, 1 to 19. Default 1: faster than pg_dump reads.")
      .meta({ examples: [3] }),
    // Without a default, which would reach runners that do not know the field.
    plainSha256: z
      .boolean()
      .optional()
      .describe(
        "Whether the manifest has a SHA-256 of each dump before compression, in place of a CRC-32: to compare dumps with others. " +
          "It costs 0.5 s of processor time for each GB, in a backup and in each verification and restore. Default false.",
      ),
  })
  .default({ level: 1 })
  .describe("How the dump is compressed.");
