import type { Access, JobSettings } from "../../../providers/config.ts";

/** What a task is for. */
export type Purpose = "backup" | "prune" | "drill" | "restore";

/** What is particular to a purpose. */
interface PurposeFacts {
  /** The runner's command, unless a run overrides it. */
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
  // By default it only lists: a person says what to restore, and where to.
  restore: {
    command: ["list"],
    access: "read",
    secrets: ["database", "files", "destinations", "encryption", "signing", "drill"],
  },
};

/** What a job has tasks for beside `backup` and `restore`: prune with a retention, drill with drills. */
export function furtherPurposes({ retention, drill }: JobSettings): ("prune" | "drill")[] {
  return [...(retention === undefined ? [] : ["prune" as const]), ...(drill === undefined ? [] : ["drill" as const])];
}
