import type { JobName } from "../../runner/backups/catalogue/backup-folder.ts";
import type { Manifest } from "../../runner/backups/documents/manifest.ts";

/** A manifest of a small backup, with names and texts that JSON must escape. */
export function sampleManifest(id: string, job: JobName = { stack: "prod", name: "app" }): Manifest {
  return {
    format: 1,
    id,
    stack: job.stack,
    job: job.name,
    program: "0.1.0",
    startedAt: "2026-01-02T03:04:05.678Z",
    finishedAt: "2026-01-02T03:05:06.789Z",
    database: {
      kind: "postgres",
      name: 'the "app" \\ größe',
      size: 8_123_456,
      encoding: "UTF8",
      serverVersion: "17.4",
      clientVersion: "17.4",
      snapshotTime: "2026-01-02T03:04:06.000Z",
      tables: [{ schema: "public", name: "new\nline", estimatedRows: -1 }],
      roles: ["postgres"],
    },
    objects: [
      {
        file: "database.dump.zst",
        artifact: "database.dump",
        format: "pg_dump-custom",
        compression: "zstd",
        encryption: null,
        stored: { size: 1234, sha256: "0123456789abcdef".repeat(4) },
        plain: { size: 5678, sha256: "fedcba9876543210".repeat(4) },
      },
    ],
    omitted: [],
    recipients: [],
  };
}

/** The manifest as one of format 2: with a CRC-32 of what each object has of plain bytes. */
export function withCrc32(manifest: Manifest): Manifest {
  const objects = manifest.objects.map(({ plain: { size }, ...object }) => ({
    ...object,
    plain: { size, crc32: "cbf43926" },
  }));
  return { ...manifest, format: 2, objects };
}
