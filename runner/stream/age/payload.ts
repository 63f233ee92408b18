import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import { ProviderError } from "../../../providers/errors.ts";

// The numbers of this file are those of the age format, version 1: https://age-encryption.org/v1

/** Plain bytes of a payload's chunk. */
export const PLAIN_CHUNK = 64 * 1024;
const TAG = 16;
/** Bytes of a chunk as it is stored. */
export const SEALED_CHUNK = PLAIN_CHUNK + TAG;
/** Bytes between the header and the first chunk. */
export const NONCE = 16;

/** Encrypts or decrypts the chunks of one payload, in order. */
export class PayloadCipher {
  /** Not its bytes: Node.js would make this of them for each chunk, which takes a quarter of the encryption's time. */
  readonly #key: KeyObject;
  /** An 11-byte big-endian counter, then one byte that is 1 in the last chunk alone. */
  readonly #nonce = Buffer.alloc(12);

  /** @param nonce the 16 bytes that stand before the first chunk. */
  constructor(fileKey: Uint8Array, nonce: Uint8Array) {
    this.#key = createSecretKey(Buffer.from(hkdfSync("sha256", fileKey, nonce, "payload", 32)));
  }

  /** The stored parts of a chunk. */
  seal(plain: Uint8Array, last: boolean): Buffer[] {
    const cipher = createCipheriv("chacha20-poly1305", this.#key, this.#next(last), { authTagLength: TAG });
    const sealed = cipher.update(plain);
    cipher.final();
    return [sealed, cipher.getAuthTag()];
  }

  /** A chunk's plain bytes. `INTEGRITY` where it was changed, moved, or is not the last although it should be. */
  open(sealed: Buffer, last: boolean): Buffer {
    const size = sealed.length - TAG;
    if (size < 0) throw new ProviderError("INTEGRITY", "The encrypted data ends in the middle of a chunk.");
    const decipher = createDecipheriv("chacha20-poly1305", this.#key, this.#next(last), { authTagLength: TAG });
    decipher.setAuthTag(sealed.subarray(size));
    const plain = decipher.update(sealed.subarray(0, size));
    try {
      decipher.final();
    } catch (error) {
      throw new ProviderError("INTEGRITY", "The encrypted data was changed or cut off.", { cause: error });
    }
    return plain;
  }

  #next(last: boolean): Buffer {
    const nonce = Buffer.from(this.#nonce);
    if (last) nonce[11] = 1;
    // Six bytes count 2^48 chunks, more than any store holds.
    this.#nonce.writeUIntBE(this.#nonce.readUIntBE(5, 6) + 1, 5, 6);
    return nonce;
  }
}
