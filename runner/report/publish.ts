import { Readable } from "node:stream";
import { reportsFolder } from "../../providers/layout.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import { timestamp } from "../catalogue/backup-id.ts";
import type { JobName } from "../catalogue/backup-folder.ts";
import type { ReportSigner } from "./signature.ts";

/** What is published, and where. */
interface Published {
  readonly storage: StorageProvider;
  readonly job: JobName;
  readonly page: Buffer;
  /** Undefined: no signature is stored. */
  readonly signer: ReportSigner | undefined;
  /** When the report was made, which is its name: a store never overwrites. */
  readonly time: Date;
  readonly signal: AbortSignal;
}

/** Stores a page, and its signature beside it, in a job's folder of reports. Gives their keys. */
export async function publishReport({ storage, job, page, signer, time, signal }: Published): Promise<string[]> {
  const key = `${reportsFolder(job)}/${timestamp(time)}.html`;
  const put = (name: string, bytes: Buffer) =>
    storage.upload(name, Readable.from([bytes]), { signal, sizeEstimate: bytes.length });
  await put(key, page);
  if (!signer) return [key];
  await put(`${key}.sig`, Buffer.from(signer.sign(page)));
  return [key, `${key}.sig`];
}
