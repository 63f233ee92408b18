import { Transform, type TransformCallback } from "node:stream";
import { ProviderError } from "../../providers/errors.ts";
import { STAGE } from "../stream/meter.ts";
import { NONCE, PayloadCipher, SEALED_CHUNK } from "./payload.ts";

/** Gives the key of an age file: from its header, or because it is known already. */
export type FileKeySource = (header: Uint8Array) => Promise<Uint8Array>;

/** A header has some 200 bytes a recipient; one that is longer than this, in bytes, is no header. */
const MAX_HEADER = 256 * 1024;

/** The line of a header that ends it. */
const HEADER_END = /\n--- [A-Za-z0-9+/]{43}\n/;

/** Decrypts a stream in the age format. Bytes come out only after their chunk has proven genuine. */
export class AgeDecrypt extends Transform {
  readonly #fileKey: FileKeySource;
  #cipher: PayloadCipher | undefined;
  #pending: Buffer[] = [];
  #pendingSize = 0;

  constructor(fileKey: FileKeySource) {
    super(STAGE);
    this.#fileKey = fileKey;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#pending.push(chunk);
    this.#pendingSize += chunk.length;
    if (this.#cipher) this.#settle(() => this.#openChunks(), callback);
    else
      this.#start().then(() => {
        this.#settle(() => (this.#cipher ? this.#openChunks() : undefined), callback);
      }, callback);
  }

  override _flush(callback: TransformCallback): void {
    const cipher = this.#cipher;
    if (!cipher) callback(new ProviderError("INTEGRITY", "The encrypted file ends before its header does."));
    else this.#settle(() => cipher.open(Buffer.concat(this.#pending), true), callback);
  }

  /** Reads the header once all of it, and the nonce behind it, has come. */
  async #start(): Promise<void> {
    const bytes = Buffer.concat(this.#pending);
    const end = HEADER_END.exec(bytes.toString("latin1", 0, MAX_HEADER));
    if (!end) {
      if (bytes.length > MAX_HEADER)
        throw new ProviderError("INTEGRITY", "The file does not start with an age header.");
      return;
    }
    const payload = end.index + end[0].length;
    if (bytes.length < payload + NONCE) return;
    const fileKey = await this.#fileKey(bytes.subarray(0, payload));
    this.#cipher = new PayloadCipher(fileKey, bytes.subarray(payload, payload + NONCE));
    this.#pending = [bytes.subarray(payload + NONCE)];
    this.#pendingSize = bytes.length - payload - NONCE;
  }

  #openChunks(): Buffer | undefined {
    // The last chunk is marked as such, so a full one waits until more has come.
    if (!this.#cipher || this.#pendingSize <= SEALED_CHUNK) return undefined;
    const sealed = Buffer.concat(this.#pending, this.#pendingSize);
    const plain: Buffer[] = [];
    let from = 0;
    for (; sealed.length - from > SEALED_CHUNK; from += SEALED_CHUNK) {
      plain.push(this.#cipher.open(sealed.subarray(from, from + SEALED_CHUNK), false));
    }
    this.#pending = [sealed.subarray(from)];
    this.#pendingSize = sealed.length - from;
    return Buffer.concat(plain);
  }

  #settle(step: () => Buffer | undefined, callback: TransformCallback): void {
    let result: Buffer | undefined;
    try {
      result = step();
    } catch (error) {
      callback(error as Error);
      return;
    }
    callback(null, result);
  }
}
