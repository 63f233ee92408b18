import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import type { CopyReport } from "../../runner/operations/copy.ts";
import type { DrillReport } from "../../runner/operations/drill.ts";
import type { Verification } from "../../runner/operations/verify.ts";
import { emptyDatabase, relationCount } from "../helpers/databases.ts";
import { listed, makeBackup, printed } from "../helpers/reports.ts";
import { Sandbox } from "../helpers/sandbox.ts";
import { FaultyProxy } from "../../tools/services/faulty-proxy.ts";
import { startVersitygw, type Versitygw } from "../../tools/services/versitygw.ts";

let postgres: Postgres;
let service: Versitygw;
let proxy: FaultyProxy;
let sandbox: Sandbox;
let buckets = 0;
beforeAll(async () => {
  [postgres, service] = await Promise.all([startPostgres(), startVersitygw()]);
  await createSampleDatabase(postgres.url("shop"), { megabytes: 2 });
  proxy = await FaultyProxy.start(service.url);
});
afterAll(() => Promise.all([proxy.stop(), service.stop(), postgres.stop()]));
beforeEach(async () => {
  proxy.reset();
  const bucket = `backups-${(buckets += 1)}`;
  await service.client.createBucket({ Bucket: bucket });
  sandbox = new Sandbox(postgres.url("shop"), { drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true } });
  Object.assign(sandbox.environment, {
    S3_ID: service.accessKeyId,
    S3_SECRET: service.secretAccessKey,
    DRILL_URL: postgres.url("postgres"),
  });
  const keys = { accessKeyId: { env: "S3_ID" }, secretAccessKey: { env: "S3_SECRET" } };
  sandbox.job.destinations = [{ kind: "s3", bucket, endpoint: proxy.url, retrySeconds: 2, ...keys }];
});
afterEach(() => {
  sandbox.remove();
});

/** Flips a bit of the answers with an object of the backup: so many of them, after some that are left as they are. */
function flip(file: string, times: number, after = 0): void {
  let left = after;
  const at = file === "manifest.json" ? 700 : 5000;
  const isDownload = ({ method, url }: { method: string; url: string }) =>
    method === "GET" && new URL(url, "http://x").pathname.endsWith(`/${file}`) && left-- <= 0;
  proxy.misbehave({ kind: "corrupt-response", at }, isDownload, times);
}

const where = expect.stringContaining("s3 backups-") as string;
const DUMP = "database.dump.zst";

it.each([
  [DUMP, 0],
  // The listing has read it before.
  ["manifest.json", 1],
])("a bit of %s that is flipped once on its way is a warning of verify", async (file, after) => {
  const { id } = await makeBackup(sandbox);
  flip(file, 1, after);
  const ended = await sandbox.run("verify");
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stdout).toMatch(
    /verified: read in full\n {2}warning: s3 backups-\d+ .*has it whole, but the first time/,
  );
  expect(proxy.pending).toBe(0);
  expect(await listed(sandbox)).toMatchObject([{ id, state: "verified" }]);
});

it("one that is flipped twice is damage", async () => {
  const { id } = await makeBackup(sandbox);
  flip(DUMP, 2);
  const [found] = printed(await sandbox.run("verify", "--json"), 5) as Verification[];
  expect(found).toMatchObject({ id, outcome: "damaged", problems: [expect.stringContaining(DUMP)] });
  expect(found?.warnings).toBeUndefined();
  expect(proxy.pending).toBe(0);
});

it("one that is flipped once while a run reads its backup back costs nothing", async () => {
  flip(DUMP, 1);
  const ended = await sandbox.run("backup", "--json");
  const report = printed(ended) as { destinations: { verification: Verification }[] };
  expect(report.destinations[0]?.verification).toMatchObject({ outcome: "verified", problems: [], warnings: [where] });
  expect(ended.stderr).toContain("has it whole, but the first time it arrived damaged");
});

it("one that is flipped once while a drill restores is restored again, and recorded as drilled", async () => {
  await makeBackup(sandbox);
  flip(DUMP, 1);
  const report = printed(await sandbox.run("drill", "--json")) as DrillReport;
  expect(report).toMatchObject({ outcome: "drilled", problems: [], warnings: [where] });
  expect((await sandbox.run("list")).stdout).toMatch(/ drilled \d/);
});

it("one that is flipped once while a restore reads leaves the target empty, and is no damage", async () => {
  await makeBackup(sandbox);
  sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy");
  // In the second reading: the first only proves what is stored.
  flip(DUMP, 1, 1);
  const { code, stderr } = await sandbox.run("restore", "--to", "env:TARGET_URL");
  expect(code, stderr).toBe(1);
  expect(stderr).toContain("Fix: The backup is whole: try again.");
  expect(await relationCount(postgres, "copy")).toBe(0);
  expect((await sandbox.run("restore", "--to", "env:TARGET_URL")).code).toBe(0);
});

it("one that is flipped once while a backup is copied is copied again", async () => {
  await makeBackup(sandbox);
  sandbox.job.destinations = [...(sandbox.job.destinations as object[]), { kind: "filesystem", path: sandbox.store }];
  flip(DUMP, 1);
  const [report] = printed(await sandbox.run("copy", "--from", "0", "--to", "1", "--json")) as CopyReport[];
  expect(report).toMatchObject({ status: "copied", warnings: [where], verification: { outcome: "verified" } });
});
