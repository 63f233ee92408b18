import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { emptyDatabase } from "../helpers/databases.ts";
import { Sandbox } from "../helpers/sandbox.ts";
import { filesIn } from "../helpers/store.ts";
import { SupabaseStorageService } from "../services/supabase-storage.ts";

const FILES = 20_000;
const BUCKETS = 5;

let postgres: Postgres;
let service: SupabaseStorageService;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "app");
  service = await SupabaseStorageService.start();
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) service.makeBucket(bucketOf(bucket));
  for (let n = 0; n < FILES; n += 1) service.put(nameOf(n), Buffer.from(`file ${n}`), bucketOf(n));
  sandbox = new Sandbox(postgres.url("app"), {
    files: {
      kind: "supabase-storage",
      url: service.url,
      key: { env: "FILES_KEY" },
      buckets: Array.from({ length: BUCKETS }, (_, n) => bucketOf(n)),
      parallel: 16,
      retrySeconds: 1,
    },
    retention: { last: 1 },
  });
  sandbox.environment.FILES_KEY = service.serviceKey;
});
afterAll(async () => {
  sandbox.remove();
  await service.close();
  await postgres.stop();
});

const bucketOf = (n: number) => `bucket-${n % BUCKETS}`;
const nameOf = (n: number) => `folder-${n % 100}/file-${n}.txt`;

/** Makes a backup; the steps that its log measured, in seconds. */
async function backup(expected: number) {
  const ended = await sandbox.run("backup", "--json");
  expect(ended.code, ended.stderr.slice(-2000)).toBe(expected);
  const lines = ended.stderr.split("\n").filter(Boolean);
  const steps = lines.map((line) => JSON.parse(line) as { msg: string; seconds?: number });
  const secondsOf = (name: string) => steps.find(({ msg }) => msg === `${name}: done`)?.seconds ?? NaN;
  const { files } = JSON.parse(ended.stdout) as { files: { copied: number; unchanged: number; leftOut: object[] } };
  return { files, seconds: secondsOf("files") };
}

it("copies 20,000 files once, and afterwards only what changed; a prune of the first keeps the second whole", async () => {
  const always = `${bucketOf(7)}/${nameOf(7)}`;
  service.unreadable.add(always);
  const first = await backup(3);
  expect(first.files).toMatchObject({
    copied: FILES - 1,
    unchanged: 0,
    leftOut: [{ bucket: bucketOf(7), path: nameOf(7) }],
  });

  const changed = Array.from({ length: FILES / 100 }, (_, n) => n * 100 + 50);
  for (const n of changed) service.put(nameOf(n), Buffer.from(`file ${n}, again`), bucketOf(n));
  service.downloaded.length = 0;
  await sleep(1_100);
  const second = await backup(3);
  expect(second.files).toMatchObject({ copied: changed.length, unchanged: FILES - 1 - changed.length });
  expect(service.downloaded.length).toBe(changed.length);
  expect(second.seconds).toBeLessThan(first.seconds / 10);

  // The second run has pruned the first backup.
  const stored = filesIn(sandbox.store);
  expect(stored.filter((name) => name.endsWith("/manifest.json"))).toHaveLength(1);
  expect(stored.filter((name) => name.startsWith("test/app/files/"))).toHaveLength(FILES - 1);
  const folder = join(sandbox.path, "out");
  const restored = await sandbox.run("restore", "--files", folder);
  expect(restored.code, restored.stdout).toBe(0);
  const names = filesIn(folder);
  expect(names).toHaveLength(FILES - 1);
  for (const n of [0, 50, 51, 150, 19_950, 19_999]) {
    const expected = changed.includes(n) ? `file ${n}, again` : `file ${n}`;
    expect(readFileSync(join(folder, bucketOf(n), nameOf(n)), "utf8")).toBe(expected);
  }
}, 400_000);
