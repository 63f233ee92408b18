import { randomBytes } from "node:crypto";
import { Transform, type TransformCallback } from "node:stream";
import { buffer } from "node:stream/consumers";
import { ProviderError } from "../../../providers/errors.ts";
import { STAGE } from "../meter.ts";
import { streamed } from "../garbage.ts";
import { cut, NOTHING } from "./cut.ts";
import { NONCE, PayloadCipher, PLAIN_CHUNK } from "./payload.ts";

/** The header of an age file, and the key that it wraps for its recipients. */
export interface AgeHeader {
  readonly bytes: Uint8Array;
  readonly fileKey: Uint8Array;
}

/**
 * Makes the header of a new age file with the `age-encryption` package, which knows the kinds of recipients. The payload
 * is encrypted here: the package's own JavaScript ciphers make some 66 MB/s, Node's thirty times that.
 *
 * @throws ProviderError `CONFIG` for what is no age public key.
 */
export async function createHeader(recipients: readonly string[]): Promise<AgeHeader> {
  // Loaded here, so that a run without encryption does not pay for it: it is a tenth of a start.
  const { Encrypter } = await import("age-encryption");
  const encrypter = new Encrypter();
  let fileKey: Uint8Array | undefined;
  // A recipient that adds no stanza of its own: it only learns the key.
  encrypter.addRecipient({
    wrapFileKey(key) {
      fileKey = Uint8Array.from(key);
      return [];
    },
  });
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (error) {
      throw new ProviderError("CONFIG", `encryption.recipients: ${recipient} is not an age public key.`, {
        cause: error,
        fix: "Take the line that starts with age1 from the output of `age-keygen`; a typing error breaks its checksum.",
      });
    }
  }
  // A stream: for bytes, the package takes a `Response`, and with it Node.js loads its whole HTTP client (25 ms).
  const nothing = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      controller.close();
    },
  });
  const file = await buffer(await encrypter.encrypt(nothing));
  if (!fileKey) throw new Error("the age package asked no recipient to wrap its key");
  const emptyPayload = NONCE + 16;
  return { bytes: file.subarray(0, file.length - emptyPayload), fileKey };
}

/** Encrypts a stream into the age format. */
export class AgeEncrypt extends Transform {
  readonly #cipher: PayloadCipher;
  /** What is not sealed yet: at most one chunk. A full one may be the last, which is marked as such. */
  #rest = NOTHING;

  constructor(header: AgeHeader) {
    super(STAGE);
    const nonce = randomBytes(NONCE);
    this.#cipher = new PayloadCipher(header.fileKey, nonce);
    this.push(Buffer.concat([header.bytes, nonce]));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    const { chunks, left } = cut(this.#rest, chunk, PLAIN_CHUNK);
    for (const each of chunks) this.#seal(each, false);
    this.#rest = left;
    callback();
  }

  override _flush(callback: TransformCallback): void {
    this.#seal(this.#rest, true);
    callback();
  }

  #seal(plain: Buffer, last: boolean): void {
    for (const part of this.#cipher.seal(plain, last)) this.push(part);
    streamed(plain.length);
  }
}
