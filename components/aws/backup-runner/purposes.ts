import type { Access, JobSettings } from "../../../providers/config.ts";
import { reportCommand } from "../../report-command.ts";

/** What a task is for. */
export type Purpose = "backup" | "prune" | "drill" | "report" | "restore";

/** What is particular to a purpose. */
interface PurposeFacts {
  /** The runner's command, unless a run overrides it. */
  command(job: JobSettings): readonly string[];
  readonly access: Access;
  /** The parts of a job's configuration whose secrets the task gets. */
  readonly secrets: readonly string[];
}

/** What the families of a stack's task definitions begin with. No stack's name has a `_`. */
export function familyStart(stack: string): string {
  return `provision_${stack}_`;
}

/** Each purpose has a task and a role of its own: what writes backups cannot remove them, and what removes them cannot write. */
export const purposes: Readonly<Record<Purpose, PurposeFacts>> = {
  backup: {
    command: () => ["backup", "--no-prune"],
    access: "backup",
    secrets: ["database", "files", "destinations", "signing", "monitor"],
  },
  prune: { command: () => ["prune"], access: "prune", secrets: ["destinations", "signing", "monitor"] },
  drill: {
    command: () => ["drill"],
    access: "drill",
    secrets: ["destinations", "encryption", "signing", "drill", "monitor"],
  },
  report: { command: reportCommand, access: "report", secrets: ["destinations", "signing"] },
  // By default it only lists: a person says what to restore, and where to.
  restore: {
    command: () => ["list"],
    access: "read",
    secrets: ["database", "files", "destinations", "encryption", "signing", "drill"],
  },
};

/** What a job has tasks for beside `backup` and `restore`: prune with a retention, and what else it asks for. */
export function furtherPurposes({ retention, drill, report }: JobSettings): ("prune" | "drill" | "report")[] {
  const asked = { prune: retention, drill, report };
  return (["prune", "drill", "report"] as const).filter((purpose) => asked[purpose] !== undefined);
}
