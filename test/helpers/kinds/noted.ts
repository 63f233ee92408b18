/**
 * The database that `test/providers/three-steps.test.ts` adds to a copy of this tree: a PostgreSQL whose backups have an artifact
 * of a format that no other kind knows, and that a restore reads.
 */
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { type DatabaseProvider, defineDatabase } from "../../../providers/database/database.ts";
import { postgres } from "../../../providers/database/postgres.ts";
import { openPostgres } from "../../../providers/database/postgres/open.ts";
import { parseConnectionUrl } from "../../../providers/database/postgres/connect/connection-url.ts";
import { ProviderError } from "../../../providers/errors.ts";
import { SecretRef } from "../../../providers/fields/secret-ref.ts";

const FORMAT = "note";

const schema = z.strictObject({
  kind: z.literal("noted").describe("A PostgreSQL server, with a note in each backup."),
  url: SecretRef.describe("Connection URL."),
  note: z.string().default("nothing to note").describe("What each backup notes. Default: nothing to note."),
});

/** Reads a note to its end. */
async function readNote(bytes: Readable): Promise<string> {
  const note = await text(bytes);
  if (note.startsWith("Note: ") && note.endsWith("\n")) return note;
  throw new ProviderError("INTEGRITY", "The note does not read as one.");
}

function openNoted(url: string, note: string): DatabaseProvider {
  const settings = { connection: parseConnectionUrl(url), clients: undefined, lockTimeoutSeconds: 60 };
  const inner = openPostgres(settings);
  return {
    ...inner,
    kind: "noted",
    async backup(options) {
      const backup = await inner.backup(options);
      const open = () => Readable.from([`Note: ${note}\n`], { objectMode: false });
      const artifact = { name: "note.txt", format: FORMAT, required: true, covers: ["a note"], open };
      return { ...backup, artifacts: [...backup.artifacts, artifact] };
    },
    async restore(artifacts, options) {
      await options.prove?.();
      const notes = artifacts.filter(({ format }) => format === FORMAT);
      const steps = await Promise.all(notes.map((artifact) => readNote(artifact.open(options.signal))));
      const others = artifacts.filter(({ format }) => format !== FORMAT);
      const report = await inner.restore(others, options);
      return { ...report, steps: [...(report.steps ?? []), ...steps.map((step) => step.trim())] };
    },
    async createScratch(options) {
      const scratch = await inner.createScratch(options);
      return {
        ...scratch,
        restore: (artifacts, facts, signal) =>
          scratch.restore(
            artifacts.filter(({ format }) => format !== FORMAT),
            facts,
            signal,
          ),
        countRows: (signal) => scratch.countRows(signal),
        drop: () => scratch.drop(),
      };
    },
  };
}

/** `kind: noted` */
export const noted = defineDatabase({
  schema,
  secrets: ["url"],
  formats: { ...postgres.formats, [FORMAT]: "extra" },
  create: ({ note }, { secrets }) => Promise.resolve().then(() => openNoted(secrets.url ?? "", note)),
  async verify(artifact, bytes, config, signal) {
    if (artifact.format === FORMAT) await readNote(bytes);
    else await postgres.verify(artifact, bytes, config, signal);
  },
  countRows: (artifact, bytes, config, signal) => postgres.countRows(artifact, bytes, config, signal),
});
