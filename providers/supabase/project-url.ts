import { z } from "zod";

/** The configuration field of a project's URL. */
export const projectUrl = z
  .string()
  .regex(/^https?:\/\/[^\s/?#@]+\/?$/, {
    error: "expected the project's URL: https:// and a host, without a path, a user or a password",
  })
  .describe("URL of the project, as Project Settings > API in the dashboard shows it, or of a service of your own.")
  .meta({ examples: ["https://abcdefghijklmnopqrst.supabase.co"] });
