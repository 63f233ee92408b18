import { createHash } from "node:crypto";
import type { DriveFile } from "./files.ts";

/** Both checksums that the service may report of a file, of bytes that come in pieces. */
export class Checksums {
  readonly #md5 = createHash("md5");
  readonly #sha256 = createHash("sha256");
  #size = 0;

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  update(bytes: Buffer): void {
    this.#md5.update(bytes);
    this.#sha256.update(bytes);
    this.#size += bytes.length;
  }

  /** The whole. Nothing can be added afterwards. */
  digest(): Content {
    return { size: this.#size, md5: this.#md5.digest("hex"), sha256: this.#sha256.digest("hex") };
  }
}

/** What a file must hold. */
export type Content = Readonly<{ size: number; md5: string; sha256: string }>;

/** Whether the service reports of a file what was sent: its size and one checksum at least, and nothing else. */
export function holds(file: DriveFile, { size, md5, sha256 }: Content): boolean {
  if (file.size !== size || (file.md5 ?? file.sha256) === undefined) return false;
  return (file.md5 ?? md5) === md5 && (file.sha256 ?? sha256) === sha256;
}
