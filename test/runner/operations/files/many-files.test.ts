import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { emptyDatabase } from "../../../helpers/databases.ts";
import { backUpFiles, bucketOf, type ManyFiles, nameOf, startManyFiles } from "../../../../tools/many-files.ts";
import { filesIn } from "../../../helpers/store.ts";

const FILES = 20_000;

/** What the test may take: it took five minutes on a slow machine that did nothing else. */
const LONG_MS = 900_000;

let postgres: Postgres;
let many: ManyFiles;
beforeAll(async () => {
  postgres = await startPostgres();
  many = await startManyFiles(await emptyDatabase(postgres, "app"), FILES);
});
afterAll(async () => {
  await many.close();
  await postgres.stop();
});

it(
  "copies 20,000 files once, and afterwards only what changed; a prune of the first keeps the second whole",
  async () => {
    const { service, sandbox } = many;
    const always = `${bucketOf(7)}/${nameOf(7)}`;
    service.unreadable.add(always);
    const first = await backUpFiles(sandbox, 3);
    expect(first).toMatchObject({
      copied: FILES - 1,
      unchanged: 0,
      leftOut: [{ bucket: bucketOf(7), path: nameOf(7) }],
    });

    const changed = many.change();
    service.downloaded.length = 0;
    await sleep(1_100);
    const second = await backUpFiles(sandbox, 3);
    expect(second).toMatchObject({ copied: changed.length, unchanged: FILES - 1 - changed.length });
    // Another file is read to tell whether the unreadable one is lost or the service in trouble.
    const places = new Set(changed.map((n) => `${bucketOf(n)}/${nameOf(n)}`));
    expect(service.downloaded.filter((place) => places.has(place))).toHaveLength(changed.length);
    expect(service.downloaded.length).toBeLessThanOrEqual(changed.length + 1);

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
  },
  LONG_MS,
);
