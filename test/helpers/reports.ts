import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { Check } from "../../providers/database/database.ts";
import type { BackupReport } from "../../runner/operations/backup/report.ts";
import type { Ended, Sandbox } from "./sandbox.ts";

/** What `provision list --json` prints of a destination. */
export interface Listed {
  readonly destination: string;
  readonly backups: readonly {
    readonly id: string;
    readonly state: string;
    readonly size: number;
    readonly warnings?: readonly string[];
  }[];
}

/** What a process printed as JSON, after a check of its exit code. */
export function printed({ code, stdout, stderr }: Ended, expectedCode = 0): unknown {
  expect(code, stderr).toBe(expectedCode);
  return JSON.parse(stdout) as unknown;
}

/** What doctor found out about the first destination, by what it did there. Of each failure it must say how to fix it. */
export function destinationChecks(ended: Ended, expectedCode = 0): Record<string, Check> {
  const checks = (printed(ended, expectedCode) as Check[]).filter(({ name }) => name.startsWith("destination 0"));
  for (const { name, ok, fix = "" } of checks) expect(ok || fix !== "", name).toBe(true);
  return Object.fromEntries(checks.map((check) => [check.name.replace(/^.*: /, ""), check]));
}

/** Makes a backup, which must succeed. */
export async function makeBackup(sandbox: Sandbox, ...options: string[]): Promise<BackupReport> {
  return printed(await sandbox.run("backup", "--json", ...options)) as BackupReport;
}

/** The backups of the first destination. */
export async function listed(sandbox: Sandbox): Promise<Listed["backups"]> {
  const [first] = printed(await sandbox.run("list", "--json")) as Listed[];
  return first?.backups ?? [];
}

/** The folder of a backup in the sandbox's store. */
export function backupFolder(sandbox: Sandbox, id: string): string {
  return join(sandbox.store, "test", "app", id);
}

/** The names of the folders in the job's folder, whatever they hold, but for its lease. */
export function foldersOf(sandbox: Sandbox): string[] {
  try {
    return readdirSync(join(sandbox.store, "test", "app"))
      .filter((name) => name !== "lease")
      .sort();
  } catch {
    return [];
  }
}
