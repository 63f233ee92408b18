import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import { BlockHashes } from "../../transfer/block-hashes.ts";
import { chunksOf } from "../../transfer/chunker.ts";
import { ProviderError } from "../../errors.ts";
import { missing } from "../../transfer/object-errors.ts";
import { reportRemaining } from "../../transfer/remaining.ts";
import type { Try } from "../../transfer/commit-request.ts";
import type { StorageProvider } from "../storage.ts";
import type { RequestOptions, StoredObject, UploadOptions } from "../../transfer/object.ts";
import type { StallWatchdog } from "../../transfer/watchdog.ts";
import { watchedDownload, watchedUpload } from "../../transfer/watched-transfer.ts";
import { bucketFacts, checkSize, checkType, CONTENT_TYPE } from "../../supabase/bucket.ts";
import type { BucketFacts } from "../../supabase/bucket.ts";
import type { SupabaseClient } from "../../supabase/client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { commit, discard, metadataOf, objectAt } from "../../supabase/commit.ts";
import type { Commit, ObjectFacts } from "../../supabase/commit.ts";
import { Contents } from "../../supabase/contents.ts";
import { openDownload } from "../../supabase/download.ts";
import { taken } from "../../supabase/errors.ts";
import { listObjects } from "../../supabase/listing.ts";
import { removeObjects } from "./removal.ts";
import { UploadRecords } from "./upload-records.ts";
import { CHUNK_BYTES, resumableLimits, ResumableUpload } from "../../supabase/resumable.ts";

/** How long the tidying up after a failure may take, in milliseconds. */
const TIDY_MS = 4_000;

/** What to check where an object is missing. */
const CHECK = "the destination's bucket and prefix";

/** A bucket as a store whose keys are the names that the service takes. */
export type NamedStore = Omit<StorageProvider, "kind" | "description"> & { readonly heldBytes: number };

/** A bucket, by the project's own protocol. */
export class RestStore implements NamedStore {
  /** A chunk that is sent, and one that is filled. */
  readonly heldBytes = 2 * CHUNK_BYTES;
  readonly #client: SupabaseClient;
  readonly #bucket: string;
  /** Where the objects are, for messages. */
  readonly #place: string;
  readonly #records: UploadRecords;
  readonly #contents: Contents;
  #facts: BucketFacts | undefined;

  /** @param uploads the folder of the records of uploads under way */
  constructor(client: SupabaseClient, bucket: string, place: string, uploads: string) {
    this.#client = client;
    this.#bucket = bucket;
    this.#place = place;
    this.#records = new UploadRecords(client, bucket, uploads);
    this.#contents = new Contents(client);
  }

  upload(name: string, source: Readable, options: UploadOptions): Promise<StoredObject> {
    return watchedUpload(name, source, this.#client.stallTimeoutSeconds, options, async (watchdog) => {
      const object: Pick<Commit, "bucket" | "name" | "id"> = { bucket: this.#bucket, name, id: randomUUID() };
      const action = `upload ${name} to ${this.#place}`;
      const work = this.#store(object, source, watchdog, { action, retried: options.retried });
      try {
        const facts = await watchdog.settle(work);
        return { ...stored(name, facts), storeTime: facts.modified };
      } catch (error) {
        // An upload that hung was left behind. If it succeeds after all, nobody expects the object any more.
        work.then(() => discard(this.#client, object, { action, signal: undefined })).catch(() => undefined);
        throw error;
      }
    });
  }

  download(name: string, options: RequestOptions): Promise<Readable> {
    return watchedDownload(name, this.#client.stallTimeoutSeconds, options, async (watchdog) => {
      await this.#bucketFacts(watchdog.signal);
      const object = { bucket: this.#bucket, name };
      const action = `download ${name} from ${this.#place}`;
      const options = { action, signal: watchdog.signal };
      const opened = await this.#contents.open({ bucket: this.#bucket, path: name }, options);
      if (typeof opened === "string") throw await this.#absent(name, options);
      if (opened.headers["content-length"] !== "0") this.#contents.remember({ bucket: this.#bucket, path: name });
      return openDownload(this.#client, object, watchdog, `${name} in ${this.#place}`, action, opened);
    });
  }

  /** The error for an object whose content is not there. */
  async #absent(name: string, options: CallOptions): Promise<ProviderError> {
    const found = await objectAt(this.#client, this.#bucket, name, options);
    if (found === undefined) return missing(name, this.#place, CHECK);
    const problem = `The content of ${name} is missing in ${this.#place}, which has only its row.`;
    const fix = "Use another backup, and find out what removes files behind Storage's back.";
    return new ProviderError("NOT_FOUND", problem, { fix });
  }

  async stat(name: string, { signal }: RequestOptions): Promise<StoredObject> {
    await this.#bucketFacts(signal);
    const found = await objectAt(this.#client, this.#bucket, name, { action: `check ${name}`, signal });
    if (found === undefined) throw missing(name, this.#place, CHECK);
    return stored(name, found);
  }

  async *list(folder: string, { signal }: RequestOptions): AsyncIterable<StoredObject> {
    await this.#bucketFacts(signal);
    const action = `list ${folder === "" ? "all" : folder} in ${this.#place}`;
    for await (const object of listObjects(this.#client, this.#bucket, folder, { action, signal })) {
      if (object.size > 0) this.#contents.remember({ bucket: this.#bucket, path: object.key });
      yield object;
    }
  }

  async remove(names: readonly string[], { signal }: RequestOptions): Promise<void> {
    await this.#bucketFacts(signal);
    const failures = await removeObjects(this.#client, this.#bucket, names, signal);
    reportRemaining(failures, names.length);
  }

  /** Ends resumable uploads by their records. An upload that is still going fails then. */
  async removeUnfinished(folder: string, begunBefore: Date): Promise<number> {
    await this.#bucketFacts(undefined);
    return this.#records.endUploads(folder, begunBefore);
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  async #store(
    target: Pick<Commit, "bucket" | "name" | "id">,
    source: Readable,
    watchdog: StallWatchdog,
    { action, retried }: Pick<CallOptions, "action" | "retried">,
  ): Promise<ObjectFacts> {
    const { signal, moved } = watchdog;
    const options: CallOptions = { action, signal, moved, retried };
    watchdog.check();
    const facts = await this.#bucketFacts(signal);
    checkType(this.#bucket, facts);
    let limits = [facts.sizeLimit];
    let size = 0;
    let crc = 0;
    const hashes = new BlockHashes("md5", CHUNK_BYTES);
    const hashed = (piece: Buffer) => {
      moved();
      crc = crc32(piece, crc);
      hashes.update(piece);
    };
    let upload: ResumableUpload | undefined;
    let rest: Buffer = Buffer.alloc(0);
    const chunks = chunksOf(source, { size: CHUNK_BYTES, signal, moved: hashed });
    try {
      for await (const { bytes, last } of chunks) {
        size += bytes.length;
        if (upload === undefined && !last) {
          await this.#expectFree(target.name, options);
          limits = [...limits, ...(await resumableLimits(this.#client, options))];
        }
        checkSize(size, limits, options);
        if (last) {
          // No chunk comes after it that could use its buffer.
          rest = bytes;
        } else {
          if (upload === undefined) {
            upload = await ResumableUpload.begin(this.#client, { ...target, metadata: metadataOf(target.id) }, options);
            await this.#records.write(target, upload, options);
          }
          await upload.append(bytes);
        }
      }
      hashes.end();
      const object = { ...target, size, content: { sums: hashes.ended, inParts: upload !== undefined, crc } };
      if (upload === undefined) return await this.#putSmall(object, rest, options);
      const made = await this.#finish(upload, object, rest, options);
      await this.#tidy((signal) => this.#records.remove(target, signal));
      return made;
    } catch (error) {
      const begun = upload;
      if (begun !== undefined) {
        await this.#tidy(async (signal) => {
          await begun.end(signal);
          await this.#records.remove(target, signal);
        });
      }
      throw error;
    }
  }

  /** What cannot be tidied up now, a prune finds by the upload's record. Any error that led here is the one to report. */
  async #tidy(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    await work(AbortSignal.timeout(TIDY_MS)).catch(() => undefined);
  }

  #putSmall(object: Commit, bytes: Buffer, options: CallOptions): Promise<ObjectFacts> {
    const { bucket, name, id } = object;
    const settings = { contentType: CONTENT_TYPE, cacheControl: "0", upsert: false, metadata: metadataOf(id) };
    const send = async ({ signal }: Try) => {
      await this.#client.once((storage) => storage.from(bucket).upload(name, bytes, settings), { ...options, signal });
      return undefined;
    };
    return commit(this.#client, object, send, options);
  }

  #finish(upload: ResumableUpload, object: Commit, bytes: Buffer, options: CallOptions): Promise<ObjectFacts> {
    const send = ({ attempt, signal }: Try) =>
      upload.finish(bytes, object.size, attempt > 1, { ...options, signal, kind: "commit" });
    return commit(this.#client, object, send, options);
  }

  /** Checks the key first, so that a large object is not refused only at its end. */
  async #expectFree(name: string, options: CallOptions): Promise<void> {
    if ((await objectAt(this.#client, this.#bucket, name, options)) !== undefined) throw taken(options.action);
  }

  async #bucketFacts(signal: AbortSignal | undefined): Promise<BucketFacts> {
    this.#facts ??= await bucketFacts(this.#client, this.#bucket, signal);
    return this.#facts;
  }
}

function stored(key: string, { size, modified }: ObjectFacts): StoredObject {
  return { key, size, modified };
}
