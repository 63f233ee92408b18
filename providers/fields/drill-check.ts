import { z } from "zod";

const Answer = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** A question to the restored database. */
export const DrillCheck = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w .-]{1,60}$/, { error: "expected 1 to 60 letters, digits, spaces, '.', '_' and '-'" })
      .describe("What messages call it.")
      .meta({ examples: ["orders"] }),
    sql: z
      .string()
      .min(1)
      .describe("A query that gives one row; it is run read-only.")
      .meta({ examples: ["SELECT count(*) FROM orders"] }),
    expect: z
      .union([Answer, z.array(Answer).min(1)])
      .optional()
      .describe(
        "The answer: the value of the only column, or a list of all columns' values. Numbers are compared as numbers, exactly; one of more than 15 digits must be text.",
      )
      .meta({ examples: [42] }),
    atLeast: z
      .number()
      .optional()
      .describe("The least number that the only column may have.")
      .meta({ examples: [1000] }),
    timeoutSeconds: z
      .int()
      .min(1)
      .max(86_400)
      .default(60)
      .describe("Seconds that the query may take. Default 60.")
      .meta({ examples: [300] }),
  })
  .refine(({ expect, atLeast }) => (expect === undefined) !== (atLeast === undefined), {
    error: "expected either expect or atLeast",
  })
  .meta({ id: "DrillCheck", examples: [{ name: "orders", sql: "SELECT count(*) FROM orders", atLeast: 1000 }] });

/** A question to the restored database; see the schema of the same name. */
export type DrillCheck = z.output<typeof DrillCheck>;
