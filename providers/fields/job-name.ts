import { z } from "zod";

/** A job's or a stack's name: it becomes part of keys in a store, of unit names and of names at AWS. */
export const Name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, {
  error: "expected 1 to 40 lower-case letters, digits and '-', not at the ends",
});

/** What a job was called before. */
export const Rename = z
  .strictObject({
    from: z
      .union([Name.transform((name) => [name]), z.array(Name).min(1)])
      .describe("The job's earlier name, or all of them, the first one first.")
      .meta({ examples: ["shop"] }),
  })
  .meta({ id: "Rename" });

/** A job's name now, and those that it had before. */
export interface JobNames {
  readonly name: string;
  readonly rename?: { readonly from: readonly string[] } | undefined;
}

/** The name that the job had first: its backups, its metrics, its monitors and what it has at AWS keep it. */
export function firstName({ name, rename }: JobNames): string {
  return rename?.from[0] ?? name;
}

/** The job as the runner knows it, whatever it is called now: by its first name. */
export function underFirstName<Job extends JobNames>(job: Job): Job {
  const { rename, ...rest } = job;
  return rename === undefined ? job : ({ ...rest, name: firstName(job) } as Job);
}
