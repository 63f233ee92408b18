import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { zstdCompressSync } from "node:zlib";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import { seal } from "../../runner/backups/documents/sealed-json.ts";
import type { SigningKeys } from "../../runner/backups/documents/signing.ts";
import { sampleManifest } from "./sample-manifest.ts";
import { fillBackup } from "./sample-records.ts";
import { fill } from "./store.ts";

const measure = (bytes: Buffer) => ({ size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
/** The object of a content below the job's folder, by a hexadecimal digit. */
export const objectOf = (name: string) => `files/${name.repeat(2)}/${name.repeat(64)}-000000.zst`;

/**
 * Stores a verified backup of prod/app that refers to contents, by a hexadecimal digit each.
 *
 * @param keys sign its manifest
 */
export async function fillBackupOfFiles(
  storage: StorageProvider,
  id: string,
  names: readonly string[],
  keys?: SigningKeys,
): Promise<void> {
  const entries = names.map((name) => ({
    id: name.repeat(64),
    object: objectOf(name),
    stored: { size: 1, sha256: "0".repeat(64) },
    plain: { size: 1, sha256: "0".repeat(64) },
    file: { bucket: "b", path: name, size: 1, etag: "e", modified: "2026-01-01T00:00:00Z" },
  }));
  const plain = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  const stored = zstdCompressSync(plain);
  const index = {
    file: "files.jsonl.zst",
    artifact: "files.jsonl",
    format: "file-index" as const,
    compression: "zstd" as const,
    encryption: null,
    stored: measure(stored),
    plain: measure(plain),
  };
  await storage.upload(`prod/app/${id}/files.jsonl.zst`, Readable.from([stored]));
  const manifest = sampleManifest(id);
  const content = { ...manifest, objects: [...manifest.objects, index] };
  await fill(storage, [`prod/app/${id}/manifest.json`], seal(content, keys));
  await fillBackup(storage, `prod/app/${id}`, ["verified-20260201T000000Z.json"]);
}
