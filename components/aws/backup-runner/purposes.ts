import type { Access, JobSettings } from "../../../providers/config.ts";

/** What a task is for. */
export type Purpose = "backup" | "prune" | "drill" | "restore";

/** What is particular to a purpose. */
interface PurposeFacts {
  /** What the runner is told where nothing else is said, as by a schedule. */
  readonly command: readonly string[];
  readonly access: Access;
  /** The parts of a job's configuration whose secrets the task gets. */
  readonly secrets: readonly string[];
}

/** Each purpose has a task and a role of its own: what writes backups cannot remove them, and what removes them cannot write. */
export const purposes: Readonly<Record<Purpose, PurposeFacts>> = {
  backup: {
    command: ["backup", "--no-prune"],
    access: "backup",
    secrets: ["database", "files", "destinations", "signing", "monitor"],
  },
  prune: { command: ["prune"], access: "prune", secrets: ["destinations", "signing", "monitor"] },
  drill: {
    command: ["drill"],
    access: "drill",
    secrets: ["destinations", "encryption", "signing", "drill", "monitor"],
  },
  // Started without a word it only lists: a person says what to restore, and where to.
  restore: {
    command: ["list"],
    access: "read",
    secrets: ["database", "files", "destinations", "encryption", "signing", "drill"],
  },
};

/** The purposes that a job has tasks for. */
export function purposesOf(job: JobSettings): Purpose[] {
  const has: Record<Purpose, boolean> = {
    backup: true,
    prune: job.retention !== undefined,
    drill: job.drill !== undefined,
    restore: true,
  };
  return (Object.keys(purposes) as Purpose[]).filter((purpose) => has[purpose]);
}
