import { z } from "zod";
import { DURATION } from "./duration.ts";

const keep = (what: string) =>
  z.int().min(0).max(3650).optional().describe(`How many of the ${what} to keep, 0 to 3650. Default 0.`);

/** What a retention rule has to name at least one of. */
const RULES = ["last", "hourly", "daily", "weekly", "monthly", "yearly", "within"] as const;

/** Which backups prune keeps: those that any of its fields wants. */
export const Retention = z
  .strictObject({
    last: keep("newest backups").meta({ examples: [7] }),
    hourly: keep("last backups of an hour").meta({ examples: [24] }),
    daily: keep("last backups of a day").meta({
      examples: [14],
    }),
    weekly: keep("last backups of an ISO week").meta({ examples: [8] }),
    monthly: keep("last backups of a month").meta({ examples: [12] }),
    yearly: keep("last backups of a year").meta({ examples: [5] }),
    within: z
      .string()
      .regex(DURATION, { error: "expected a number of hours, days or weeks, like 36h, 30d or 8w" })
      .optional()
      .describe(
        "Minimum age: a backup is kept while it is at most that much older than the newest one. Hours (h), days of 24 hours (d) " +
          "or weeks (w). Default: none.",
      )
      .meta({ examples: ["30d"] }),
    atLeast: z
      .int()
      .min(1)
      .max(3650)
      .optional()
      .describe(
        "How many verified backups stay, the newest first, however few the rest of the rule wants. 1 to 3650. Default 1.",
      )
      .meta({ examples: [3] }),
    removeAtMost: z
      .number()
      .gt(0)
      .max(1)
      .optional()
      .describe(
        "The largest share of the verified backups that one prune removes, above 0 and at most 1. Where the rule lets more go, nothing " +
          "is pruned until `provision prune --confirm-share`; three backups or fewer are never too many. Default 0.5.",
      )
      .meta({ examples: [0.5] }),
  })
  .refine((rule) => RULES.some((name) => (rule[name] ?? 0) !== 0), {
    error: "expected at least one of last, hourly, daily, weekly, monthly and yearly above 0, or within",
  })
  .describe("Hours, days, weeks, months and years are those of the schedule's time zone, UTC without one.")
  .meta({ id: "Retention", examples: [{ last: 7, daily: 14, weekly: 8, monthly: 12 }] });

/** The retention rule; see the schema of the same name. */
export type Retention = z.output<typeof Retention>;
