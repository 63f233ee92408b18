import { buffer } from "node:stream/consumers";
import type { DatabaseArtifact } from "../../providers/database/database.ts";

/** What an artifact's stream gives in all. */
export function contentOf(artifact: DatabaseArtifact | undefined, signal: AbortSignal): Promise<Buffer> {
  return artifact === undefined
    ? Promise.reject(new Error("There is no such artifact."))
    : buffer(artifact.open(signal));
}
