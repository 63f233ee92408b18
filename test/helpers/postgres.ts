import { readdir, readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { Client, type QueryResultRow } from "pg";
import type { DatabaseArtifact } from "../../providers/database/database.ts";

/** Runs one statement, or several without parameters, over a connection of its own. */
export async function query<Row extends QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const result: unknown = await client.query<Row>(sql);
    // Several statements give several results.
    return Array.isArray(result) ? [] : (result as { rows: Row[] }).rows;
  } finally {
    await client.end();
  }
}

/** What an artifact's stream gives in all. */
export function contentOf(artifact: DatabaseArtifact | undefined, signal: AbortSignal): Promise<Buffer> {
  return artifact === undefined
    ? Promise.reject(new Error("There is no such artifact."))
    : buffer(artifact.open(signal));
}

/** The process ids and command lines of all processes that this one's user can see. */
export async function commandLines(): Promise<{ pid: number; line: string }[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map(async (pid) => ({
      pid: Number(pid),
      line: await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""),
    })),
  );
  return lines.map(({ pid, line }) => ({ pid, line: line.replaceAll("\0", " ") }));
}
