import type { JobNames } from "../../providers/config.ts";

/**
 * The aliases of what is made for a job: with them Pulumi changes it where it stands when the job is renamed, instead of making a
 * new one and removing the old one.
 *
 * @param childName the child's name, by the job's
 */
export function formerNames({ name, rename }: JobNames, childName: (job: string) => string): { name: string }[] {
  return (rename?.from ?? []).filter((former) => former !== name).map((former) => ({ name: childName(former) }));
}
