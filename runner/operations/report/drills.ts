import type { BackupFolder } from "../../backups/catalogue/backup-folder.ts";
import { DRILL } from "../../../providers/layout.ts";
import type { DrillReport } from "./report.ts";

/** Problems of one drill that are shown: a schema that is gone may have had thousands of tables. */
const SHOWN = 20;

/** All drills of some copies of backups, the newest first. A copy takes the records along: each drill counts once. */
export function drillsOf(copies: readonly BackupFolder[]): DrillReport[] {
  const drills = new Map<string, DrillReport>();
  for (const { id, records } of copies) {
    for (const { name, drill } of records) if (drill) drills.set(`${id}/${name}`, reportOf(drill));
  }
  return [...drills.values()].sort((a, b) => (a.time < b.time ? 1 : -1));
}

function reportOf(record: NonNullable<BackupFolder["records"][number]["drill"]>): DrillReport {
  const { drilledAt, id, outcome, serverVersion, tables, rows, seconds, recoveryTime, checks, problems, more } = record;
  return {
    ...{ time: drilledAt, id, ok: outcome === DRILL.good, serverVersion, tables, rows },
    seconds: seconds ? { ...seconds, checks: seconds.checks ?? null } : null,
    recoveryTime: recoveryTime ?? null,
    checks: checks ?? [],
    problems: problems.slice(0, SHOWN),
    more: (more ?? 0) + Math.max(0, problems.length - SHOWN),
  };
}
