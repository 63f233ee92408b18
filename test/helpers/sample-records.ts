import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { Manifest } from "../../runner/backups/documents/manifest.ts";
import { seal } from "../../runner/backups/documents/sealed-json.ts";
import { sampleManifest } from "./sample-manifest.ts";
import { fill } from "./store.ts";

/** What a manifest or a record would be by the name of its file; `x` for any other file. */
export function documentFor(id: string, name: string, changes: Readonly<Record<string, unknown>> = {}): string {
  if (name === "manifest.json") return seal({ ...sampleManifest(id), ...changes });
  const parts = /^([a-z-]+)-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.json$/.exec(name);
  if (!parts) return "x";
  const [, outcome, year, month, day, hour, minute, second] = parts;
  const time = `${year}-${month}-${day}T${hour}:${minute}:${second}.123Z`;
  const common = { format: 1, id, program: "0.1.0" };
  const drill = { drilledAt: time, outcome, serverVersion: "17.4", tables: 1, rows: 2, problems: [] };
  if (outcome === "drilled" || outcome === "drill-failed") return seal({ ...common, ...drill, ...changes });
  if (outcome === "copied") return seal({ ...common, copiedAt: time, from: "elsewhere", ...changes });
  return seal({ ...common, checkedAt: time, outcome, problems: [], ...changes });
}

/** Stores a backup of the files named, each with what its name promises. */
export async function fillBackup(
  storage: StorageProvider,
  folder: string,
  names: readonly string[],
  manifest: Partial<Manifest> = {},
): Promise<void> {
  const id = folder.slice(folder.lastIndexOf("/") + 1);
  for (const name of names) {
    const changes = name === "manifest.json" ? manifest : {};
    await fill(storage, [`${folder}/${name}`], documentFor(id, name, changes));
  }
}
