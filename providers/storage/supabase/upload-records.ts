import { z } from "zod";
import { ProviderError, toProviderError } from "../../errors.ts";
import { reportRemaining } from "../../transfer/remaining.ts";
import { CONTENT_TYPE } from "../../supabase/bucket.ts";
import type { SupabaseClient } from "../../supabase/client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { objectAt } from "../../supabase/commit.ts";
import { listObjects } from "../../supabase/listing.ts";
import { endUpload, type ResumableUpload } from "../../supabase/resumable.ts";
import { removeObjects } from "./removal.ts";

/** What the metadata of a record say. */
const Recorded = z.object({
  /** Of the upload, as its address has it. */
  upload: z.string().regex(/^[^/?#]+$/),
  /** The name of the object that it is to make. */
  object: z.string(),
});

/** The object of an upload, and the random id by which the upload knows it. */
interface Target {
  readonly name: string;
  readonly id: string;
}

/**
 * Records of the resumable uploads under way: empty objects that name an upload in their metadata. The service lists no
 * uploads, and a self-hosted one keeps what a killed run has left: a prune finds it by its record.
 */
export class UploadRecords {
  readonly #client: SupabaseClient;
  readonly #bucket: string;
  /** Where the records lie. */
  readonly #folder: string;

  constructor(client: SupabaseClient, bucket: string, folder: string) {
    this.#client = client;
    this.#bucket = bucket;
    this.#folder = folder;
  }

  /** Records an upload, before any content is sent. */
  async write({ name, id }: Target, upload: ResumableUpload, options: CallOptions): Promise<void> {
    const metadata: z.output<typeof Recorded> = { upload: upload.id, object: name };
    const settings = { contentType: CONTENT_TYPE, cacheControl: "0", upsert: false, metadata };
    try {
      await this.#client.call(
        (storage) => storage.from(this.#bucket).upload(this.#recordOf(id), Buffer.alloc(0), settings),
        options,
      );
    } catch (error) {
      // Nobody else writes a record of that id: an earlier try took effect, and its answer was lost.
      if (toProviderError(error).code !== "CONFLICT") throw error;
    }
  }

  /** Removes the record of an upload that has ended. */
  async remove({ id }: Target, signal: AbortSignal): Promise<void> {
    const options = { action: "remove the record of an upload", signal };
    await this.#client.call((storage) => storage.from(this.#bucket).remove([this.#recordOf(id)]), options);
  }

  /**
   * Ends the uploads of objects below a folder whose records were written before a moment. All are tried.
   *
   * @returns how many there were
   * @throws ProviderError that says what stayed
   */
  async endUploads(folder: string, begunBefore: Date): Promise<number> {
    const old: string[] = [];
    const options = { action: `list uploads in the bucket ${this.#bucket}`, signal: undefined };
    for await (const { key, modified } of listObjects(this.#client, this.#bucket, this.#folder, options)) {
      if (modified < begunBefore) old.push(key);
    }
    const failures = new Map<string, ProviderError>();
    const over: string[] = [];
    let ended = 0;
    for (const record of old) {
      try {
        const state = await this.#end(record, folder === "" ? "" : `${folder}/`);
        if (state === "elsewhere") continue;
        if (state === "ended") ended += 1;
        over.push(record);
      } catch (error) {
        failures.set(record, toProviderError(error));
      }
    }
    for (const [record, error] of await removeObjects(this.#client, this.#bucket, over, undefined)) {
      failures.set(record, error);
    }
    reportRemaining(failures, old.length);
    return ended;
  }

  /** Ends the upload of a record, unless it is of an object elsewhere, or finished. */
  async #end(record: string, prefix: string): Promise<"ended" | "none" | "elsewhere"> {
    const options = { action: `end the upload that ${record} in the bucket ${this.#bucket} names`, signal: undefined };
    const { metadata } = await this.#client.call((storage) => storage.from(this.#bucket).info(record), options);
    const recorded = Recorded.safeParse(metadata);
    if (!recorded.success) {
      throw new ProviderError("INTEGRITY", `Cannot ${options.action}: its metadata name none.`, {
        fix: "Find out who changed it, and remove that object.",
      });
    }
    const { upload, object } = recorded.data;
    if (!object.startsWith(prefix)) return "elsewhere";
    const made = await objectAt(this.#client, this.#bucket, object, options);
    // Its content is the upload's: an older service would remove it with the upload.
    if (made?.uploadId === record.slice(this.#folder.length + 1)) return "none";
    const ended = await this.#client.retry(() => endUpload(this.#client, upload, options), options);
    return ended ? "ended" : "none";
  }

  #recordOf(id: string): string {
    return `${this.#folder}/${id}`;
  }
}
