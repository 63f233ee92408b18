import type { JobConfig } from "../../providers/config.ts";
import type { ManifestFacts } from "./read-store.ts";
import type { Recoverable } from "./report.ts";

/**
 * The command that restores a backup into the empty database whose URL is in the variable TARGET_URL.
 *
 * @param file the job's file; undefined where the environment has the job
 * @param facts undefined where the manifest cannot be read
 */
export function restoreCommand(
  job: Pick<JobConfig, "encryption">,
  file: string | undefined,
  { id, destinations: [first = 0] }: Pick<Recoverable, "id" | "destinations">,
  facts: Pick<ManifestFacts, "encrypted" | "databases"> | undefined,
): string {
  const lacksKey = facts?.encrypted === true && job.encryption?.identity === undefined;
  const [database] = facts?.databases ?? [];
  const words = [
    ...["provision", "restore", id],
    ...(file === undefined ? [] : ["--job", file]),
    ...(first === 0 ? [] : ["--destination", String(first)]),
    ...["--to", "env:TARGET_URL"],
    ...(lacksKey ? ["--identity", "file:identity.txt"] : []),
    ...(database === undefined ? [] : ["--database", database]),
  ];
  return words.map(word).join(" ");
}

/** A word as a POSIX shell takes it. */
function word(text: string): string {
  return /^[\w./:@=+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
