import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { ProviderError } from "../errors.ts";
import type { CallOptions } from "../http/service-client.ts";
import type { SupabaseClient } from "./client.ts";
import { readFrom } from "./download.ts";
import { InternalFault } from "./errors.ts";

/** Listed objects that are remembered, to read one of them when another object cannot be read. */
const REMEMBERED = 16;

/** Of these, how many one check tries. */
const TRIED = 4;

/** An object. */
interface Place {
  readonly bucket: string;
  readonly path: string;
}

/** Options of {@link Contents}. */
interface ContentsOptions {
  /** A path as it stands in a URL. Default: as it is. */
  readonly inUrl?: (path: string) => string;
  /**
   * How long objects are tried again while no content at all can be read, in milliseconds; after it, each fails at once. Default:
   * each as long as any request.
   */
  readonly patienceMs?: number;
}

type Opened = IncomingMessage | "absent" | "lost";

/**
 * Opens contents, and tells one that is lost from a service in trouble. A row without a content is listed and looked at like
 * any other. Storage on S3 answers its download with NoSuchKey; Storage on disk answers with the fault that a failing disk gives
 * (500, InternalError). That fault means a lost content where another content can be read after it, and the fault then comes
 * again: two requests more, one of which files that fail at the same time share.
 */
export class Contents {
  readonly #client: SupabaseClient;
  readonly #inUrl: (path: string) => string;
  readonly #patienceMs: number;
  /** Objects that may be readable, the most likely one first. */
  #others: Place[] = [];
  /** The check under way, and the one that begins when it ends. */
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<boolean> | undefined;
  /** Since when no content could be read. */
  #troubleSince: number | undefined;

  constructor(client: SupabaseClient, { inUrl = (path) => path, patienceMs = Infinity }: ContentsOptions = {}) {
    this.#client = client;
    this.#inUrl = inUrl;
    this.#patienceMs = patienceMs;
  }

  /** Remembers an object that is not empty. */
  remember(place: Place): void {
    this.#others = [place, ...this.#others.slice(0, REMEMBERED - 1)];
  }

  /**
   * The response with a content; `lost` where there is a row and no content, `absent` where that, or not even a row.
   *
   * @param probeType allows a file of one byte and this type to be made in the bucket, read and removed again where no other
   * content can be read
   * @throws ProviderError `TRANSIENT` where no content can be read
   */
  async open(place: Place, options: CallOptions, probeType?: string): Promise<Opened> {
    const opened = await this.#client.retry(async () => {
      const first = await this.#tryToOpen(place, options);
      if (!(first instanceof InternalFault)) return first;
      if (await this.#canReadAnother(place.bucket, options, probeType)) {
        const again = await this.#tryToOpen(place, options);
        return again instanceof InternalFault ? "lost" : again;
      }
      this.#troubleSince ??= performance.now();
      if (performance.now() - this.#troubleSince > this.#patienceMs) return first;
      throw first;
    }, options);
    if (!(opened instanceof InternalFault)) return opened;
    throw new ProviderError("TRANSIENT", `${opened.message} No other content can be read either.`, {
      fix: "Check the log of Storage. Where you host it yourself: is its volume mounted, and may it read the files there?",
    });
  }

  async #tryToOpen({ bucket, path }: Place, options: CallOptions): Promise<Opened | InternalFault> {
    try {
      const response = await readFrom(this.#client, { bucket, name: this.#inUrl(path), start: 0 }, options);
      this.#troubleSince = undefined;
      return response;
    } catch (error) {
      if (error instanceof ProviderError && error.code === "NOT_FOUND") return "absent";
      if (error instanceof InternalFault) {
        this.#others = this.#others.filter((other) => other.bucket !== bucket || other.path !== path);
        return error;
      }
      throw error;
    }
  }

  /** Whether some other content can be read: asked after this call, once for all that wait for it. */
  #canReadAnother(bucket: string, options: CallOptions, probeType: string | undefined): Promise<boolean> {
    if (this.#next === undefined) {
      this.#next = this.#running.then(async () => {
        this.#next = undefined;
        return (await this.#readRemembered(options)) || (await this.#readProbe(bucket, options, probeType));
      });
      this.#running = this.#next.catch(() => undefined);
    }
    return this.#next;
  }

  async #readRemembered(options: CallOptions): Promise<boolean> {
    for (let tried = 0; tried < TRIED && this.#others.length > 0; tried += 1) {
      const [other, ...rest] = this.#others as [Place, ...Place[]];
      if (await this.#canRead(other, options)) return true;
      this.#others = rest;
    }
    return false;
  }

  async #canRead({ bucket, path }: Place, options: CallOptions): Promise<boolean> {
    try {
      (await readFrom(this.#client, { bucket, name: this.#inUrl(path), start: 0, end: 0 }, options)).resume();
      this.#troubleSince = undefined;
      return true;
    } catch {
      return false;
    }
  }

  async #readProbe(bucket: string, options: CallOptions, type: string | undefined): Promise<boolean> {
    if (type === undefined) return false;
    const path = `provision-probe-${randomUUID()}`;
    try {
      const outgoing = { method: "POST", headers: { "x-upsert": "false", "content-type": type }, body: "." };
      (await this.#client.send(`/object/${bucket}/${path}`, outgoing, [200], options)).resume();
    } catch {
      return false;
    }
    try {
      return await this.#canRead({ bucket, path }, options);
    } finally {
      await this.#client.call((storage) => storage.from(bucket).remove([path]), {
        action: `remove ${bucket}/${path}`,
        signal: undefined,
      });
    }
  }
}
