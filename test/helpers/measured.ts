import { createHash } from "node:crypto";

/** Size and SHA-256 of bytes, as a manifest has them. */
export function measured(bytes: Buffer): { size: number; sha256: string } {
  return { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}
