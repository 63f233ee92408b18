import type { Readable } from "node:stream";
import type { RequestOptions, StoredObject, UploadOptions } from "../transfer/object.ts";
import { DownloadStream, type Download } from "../transfer/download.ts";
import { missing } from "../transfer/object-errors.ts";
import type { StallWatchdog } from "../transfer/watchdog.ts";
import { watchedDownload, watchedUpload } from "../transfer/watched-transfer.ts";
import type { CallOptions, ServiceClient } from "./service-client.ts";
import { stallSeconds } from "./watched-request.ts";

/** How a file is read. */
export type Reading = Pick<Download, "size" | "open" | "broken" | "checksum">;

/** What stores have in common whose objects are files of a service: `File` is what the service says of one. */
export abstract class ServiceStore<Client extends ServiceClient, File> {
  readonly description: string;
  protected readonly client: Client;
  /** What to check where an object is missing: `the destination's folder and prefix`. */
  protected abstract readonly toCheck: string;

  constructor(client: Client, description: string) {
    this.client = client;
    this.description = description;
  }

  upload(key: string, source: Readable, options: UploadOptions = {}): Promise<StoredObject> {
    return watchedUpload(key, source, this.client.stallTimeoutSeconds, options, (watchdog) => {
      const { signal, moved } = watchdog;
      const call = { action: `upload ${key} to ${this.description}`, signal, moved, retried: options.retried };
      return watchdog.settle(this.store(key, source, watchdog, call));
    });
  }

  download(key: string, options: RequestOptions = {}): Promise<Readable> {
    return watchedDownload(key, this.client.stallTimeoutSeconds, options, async (watchdog) => {
      const action = `download ${key} from ${this.description}`;
      const reading = this.read(await this.require(key, { action, signal: watchdog.signal }), action);
      return new DownloadStream({
        ...reading,
        name: `${key} in ${this.description}`,
        first: await this.client.retry(() => reading.open(0, watchdog.signal), watchdog),
        watchdog,
        retrySeconds: this.client.retrySeconds,
        stallSeconds: stallSeconds(this.client.stallTimeoutSeconds),
      });
    });
  }

  async stat(key: string, { signal }: RequestOptions = {}): Promise<StoredObject> {
    return this.stored(key, await this.require(key, { action: `check ${key}`, signal }));
  }

  close(): Promise<void> {
    this.client.close();
    return Promise.resolve();
  }

  /** Sends an object. */
  protected abstract store(
    key: string,
    source: Readable,
    watchdog: StallWatchdog,
    call: CallOptions,
  ): Promise<StoredObject>;

  /** The file of a key. */
  protected abstract find(key: string, call: CallOptions): Promise<File | undefined>;

  /** How a file is read; `action` is for messages. */
  protected abstract read(file: File, action: string): Reading;

  /** What a file is as an object. */
  protected abstract stored(key: string, file: File): StoredObject;

  private async require(key: string, call: CallOptions): Promise<File> {
    const found = await this.find(key, call);
    if (found === undefined) throw missing(key, this.description, this.toCheck);
    return found;
  }
}
