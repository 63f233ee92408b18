import { buffer } from "node:stream/consumers";
import type { DatabaseBackup, DatabaseFacts, RestoreArtifact } from "../../providers/database/database.ts";
import { streamOf } from "./bytes.ts";

/** A backup whose artifacts were all read. */
export interface StoredBackup {
  readonly facts: DatabaseFacts;
  readonly omitted: DatabaseBackup["omitted"];
  readonly artifacts: readonly RestoreArtifact[];
  /** What it says that each artifact covers, by the artifact's name. */
  readonly covers: ReadonlyMap<string, readonly string[]>;
  /** What the artifact of that name holds. */
  text(name: string): string;
}

/** Reads all of a backup into memory and closes it. */
export async function store(backup: DatabaseBackup): Promise<StoredBackup> {
  const signal = new AbortController().signal;
  const contents = new Map<string, Buffer>();
  try {
    for (const artifact of backup.artifacts) contents.set(artifact.name, await buffer(artifact.open(signal)));
  } finally {
    await backup.close();
  }
  return {
    facts: backup.facts,
    omitted: backup.omitted,
    covers: new Map(backup.artifacts.map(({ name, covers }) => [name, covers])),
    artifacts: backup.artifacts.map(({ name, format }) => {
      const bytes = contents.get(name) ?? Buffer.alloc(0);
      return {
        name,
        format,
        clientVersion: backup.facts.clientVersion,
        size: bytes.length,
        open: () => streamOf(bytes),
      };
    }),
    text: (name) => contents.get(name)?.toString() ?? "",
  };
}
