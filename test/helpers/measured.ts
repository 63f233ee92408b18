import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

/** Size and SHA-256 of bytes, as a manifest has them. */
export function measured(bytes: Buffer): { size: number; sha256: string } {
  return { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** The same with a CRC-32. */
export function measuredByCrc32(bytes: Buffer): { size: number; crc32: string } {
  return { size: bytes.length, crc32: crc32(bytes).toString(16).padStart(8, "0") };
}
