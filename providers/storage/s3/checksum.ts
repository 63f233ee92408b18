import { crc32 } from "node:zlib";

/** A CRC-32 as S3 writes it: base64 of its four bytes. */
export function checksumHeader(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc);
  return bytes.toString("base64");
}

/** What the store says of an object's checksum. */
interface ReportedChecksum {
  readonly ChecksumCRC32?: string | undefined;
  readonly ChecksumType?: string | undefined;
}

/** The CRC-32 of the whole object, where the store reports it: a `COMPOSITE` one, of the parts' checksums, cannot be compared. */
export function wholeChecksum({ ChecksumCRC32, ChecksumType }: ReportedChecksum): string | undefined {
  return ChecksumType === "COMPOSITE" || ChecksumCRC32?.includes("-") === true ? undefined : ChecksumCRC32;
}

/** Compares bytes that come one after the other with a CRC-32. */
export class RunningChecksum {
  readonly #expected: string;
  #crc = 0;

  constructor(expected: string) {
    this.#expected = expected;
  }

  update(bytes: Buffer): void {
    this.#crc = crc32(bytes, this.#crc);
  }

  matches(): boolean {
    return checksumHeader(this.#crc) === this.#expected;
  }
}
