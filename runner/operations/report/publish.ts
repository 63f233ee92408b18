import { Readable } from "node:stream";
import { REPORT_ENDINGS, reportsFolder } from "../../../providers/layout.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { parseTimestamp, timestamp } from "../../backups/catalogue/backup-id.ts";
import type { JobName } from "../../backups/catalogue/backup-folder.ts";
import type { ReportSigner } from "./signature.ts";

/** A report in a store. */
interface Place {
  readonly storage: StorageProvider;
  readonly job: JobName;
  /** When the report was made, which is its name: a store never overwrites. */
  readonly time: Date;
  readonly signal: AbortSignal;
}

/** What is published, and where. */
interface Published extends Place {
  readonly page: Buffer;
  /** Undefined: no signature is stored. */
  readonly signer: ReportSigner | undefined;
}

/** Stores a page, and its signature beside it, in a job's folder of reports. Gives their keys. */
export async function publishReport({ storage, job, page, signer, time, signal }: Published): Promise<string[]> {
  const keyOf = (part: keyof typeof REPORT_ENDINGS) =>
    `${reportsFolder(job)}/${timestamp(time)}${REPORT_ENDINGS[part]}`;
  const put = async (key: string, bytes: Buffer) => {
    await storage.upload(key, Readable.from([bytes]), { signal, sizeEstimate: bytes.length });
    return key;
  };
  const stored = await put(keyOf("page"), page);
  if (!signer) return [stored];
  return [stored, await put(keyOf("signature"), Buffer.from(signer.sign(page)))];
}

/**
 * Removes the oldest published reports with their signatures, and nothing else in their folder. One whose time is still to come stays: no
 * wrong clock takes a report's place.
 *
 * @param keep how many stay: the report of that time, and the newest before it; at least 1
 * @returns the keys of what was removed
 * @throws ProviderError what could not be removed, as where the store locks it; everything else was
 */
export async function removeOldReports({ storage, job, time, signal }: Place, keep: number): Promise<string[]> {
  const folder = reportsFolder(job);
  const keysByTime = new Map<string, string[]>();
  for await (const { key } of storage.list(folder, { signal })) {
    const name = key.slice(folder.length + 1);
    const ending = Object.values(REPORT_ENDINGS).find((each) => name.endsWith(each));
    const made = name.slice(0, -(ending?.length ?? 0));
    if (parseTimestamp(made) === undefined || made >= timestamp(time)) continue;
    keysByTime.set(made, [...(keysByTime.get(made) ?? []), key]);
  }
  const times = [...keysByTime.keys()].sort();
  const keys = times.slice(0, Math.max(0, times.length - keep + 1)).flatMap((made) => keysByTime.get(made) ?? []);
  if (keys.length > 0) await storage.remove(keys, { signal });
  return keys;
}
