import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runMeasured } from "../../../../tools/bench/run-measured.ts";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { SupabaseStorageService } from "../../../../tools/services/supabase-storage.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";

const CLI = fileURLToPath(new URL("../../../../runner/cli.js", import.meta.url));
const MiB = 1024 * 1024;

/** What docs/files.md promises, in megabytes. */
const limit = (parallel: number) => 340 + 16.8 * parallel;

let postgres: Postgres;
let source: SupabaseStorageService;
beforeAll(async () => {
  postgres = await startPostgres();
  source = await SupabaseStorageService.start();
  source.makeBucket("files");
  const large = randomBytes(20 * MiB);
  for (let n = 0; n < 12; n += 1) source.put(`large/${n}`, large, "files");
  for (let n = 0; n < 200; n += 1) source.put(`small/${n}`, randomBytes(n * 300), "files");
});
afterAll(async () => {
  await source.close();
  await postgres.stop();
});

it.each([1, 3])(
  "keeps its memory with %i encrypted destinations of large files",
  { timeout: 240_000 },
  async (count) => {
    const parallel = 8;
    const stores = await Promise.all(Array.from({ length: count }, () => SupabaseStorageService.start()));
    const recipient = await identityToRecipient(await generateX25519Identity());
    const sandbox = new Sandbox(postgres.url("postgres"), {
      files: { kind: "supabase-storage", url: source.url, key: { env: "STORAGE_KEY" }, buckets: ["files"], parallel },
      encryption: { recipients: [recipient] },
      destinations: stores.map(({ url }) => ({
        kind: "supabase",
        url,
        bucket: "backups",
        key: { env: "STORAGE_KEY" },
      })),
    });
    try {
      sandbox.environment.STORAGE_KEY = source.serviceKey;
      const job = join(sandbox.path, "job.json");
      writeFileSync(job, JSON.stringify(sandbox.job));
      const command = [process.execPath, CLI, "backup", "--job", job];
      const { megabytes } = await runMeasured("the backup", command, { env: sandbox.environment, memory: true });
      for (const store of stores) {
        expect([...store.objects.keys()].filter((name) => name.includes("/files/"))).toHaveLength(212);
      }
      expect(megabytes).toBeLessThan(limit(parallel));
    } finally {
      sandbox.remove();
      for (const store of stores) await store.close();
    }
  },
);
