import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { BackupReport } from "../../../../runner/operations/backup/report.ts";
import type { RetryReport } from "../../../../runner/operations/complete-backup.ts";
import { compareDatabases } from "../../../../tools/compare-databases.ts";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../../tools/sample-database.ts";
import { addNoise, emptyDatabase } from "../../../helpers/databases.ts";
import { printed, type Listed } from "../../../helpers/reports.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";
import { DropboxService } from "../../../../tools/services/dropbox.ts";
import { FaultyProxy } from "../../../../tools/services/faulty-proxy.ts";
import { GoogleDriveService } from "../../../../tools/services/google-drive.ts";
import { SupabaseStorageService } from "../../../../tools/services/supabase-storage.ts";
import { startVersitygw, type Versitygw } from "../../../../tools/services/versitygw.ts";

const redirects = ["dropbox", "google-drive"].map((name) =>
  fileURLToPath(new URL(`../../../../tools/services/${name}-redirect.ts`, import.meta.url)),
);

/** Seconds after which a store that stalls is given up. The fan-out lets go of it after three quarters of that. */
const STALL_SECONDS = 8;

let postgres: Postgres;
let gateway: Versitygw;
let proxy: FaultyProxy;
let dropbox: DropboxService;
let drive: GoogleDriveService;
let project: SupabaseStorageService;
let sandbox: Sandbox;
beforeAll(async () => {
  [postgres, gateway] = await Promise.all([startPostgres(), startVersitygw()]);
  await createSampleDatabase(postgres.url("shop"), { megabytes: 1 });
  // Does not compress: some 35 MB, which is more than a store that stalls holds back before it holds up the others.
  await addNoise(postgres, "shop", 1_100_000);
});
afterAll(() => Promise.all([postgres.stop(), gateway.stop()]));
beforeEach(async () => {
  [dropbox, drive, project, proxy] = await Promise.all([
    DropboxService.start(),
    GoogleDriveService.start(),
    SupabaseStorageService.start(),
    FaultyProxy.start(gateway.url),
  ]);
  await gateway.client.createBucket({ Bucket: "backups" });
  sandbox = new Sandbox(postgres.url("shop"), { compression: { level: 1 }, destinations: destinations() });
  Object.assign(sandbox.environment, {
    AWS_KEY: gateway.accessKeyId,
    AWS_SECRET: gateway.secretAccessKey,
    DROPBOX_SECRET: dropbox.appSecret,
    DROPBOX_TOKEN: dropbox.refreshToken,
    DROPBOX_SERVICE: dropbox.origin,
    GOOGLE_SECRET: drive.clientSecret,
    GOOGLE_TOKEN: drive.refreshToken,
    GOOGLE_DRIVE_SERVICE: drive.origin,
    SUPABASE_KEY: project.serviceKey,
    NODE_OPTIONS: redirects.map((path) => `--import=${path}`).join(" "),
  });
});
afterEach(async () => {
  sandbox.remove();
  await Promise.all([dropbox.close(), drive.close(), project.close(), proxy.stop()]);
});

/** A store of each kind that is reached over a network. */
function destinations(): object[] {
  const common = { stallTimeoutSeconds: STALL_SECONDS, retrySeconds: 30 };
  return [
    {
      kind: "s3",
      bucket: "backups",
      endpoint: proxy.url,
      partSizeMiB: 5,
      accessKeyId: { env: "AWS_KEY" },
      secretAccessKey: { env: "AWS_SECRET" },
      ...common,
    },
    {
      kind: "dropbox",
      folder: "/Backups",
      appKey: dropbox.appKey,
      appSecret: { env: "DROPBOX_SECRET" },
      refreshToken: { env: "DROPBOX_TOKEN" },
      ...common,
    },
    {
      kind: "google-drive",
      folder: "/Backups",
      clientId: drive.clientId,
      clientSecret: { env: "GOOGLE_SECRET" },
      refreshToken: { env: "GOOGLE_TOKEN" },
      ...common,
    },
    { kind: "supabase", url: project.url, bucket: "backups", key: { env: "SUPABASE_KEY" }, ...common },
  ];
}

async function retry(id: string, code: number): Promise<RetryReport> {
  return printed(await sandbox.run("backup", "--retry", id, "--json"), code) as RetryReport;
}

const present = { status: "present", errors: [] };
const copied = { status: "copied", errors: [], copy: { verification: { outcome: "verified" } } };

it(
  "goes on without a store that stalls and one that is full, tells of both, and a retry completes them",
  { timeout: 180_000 },
  async () => {
    proxy.misbehave({ kind: "stall" }, ({ url }) => url.includes("partNumber="), Infinity);
    drive.full = true;
    const begun = Date.now();
    const report = printed(await sandbox.run("backup", "--json"), 3) as BackupReport;
    expect(Date.now() - begun).toBeLessThan(120_000);
    const stored = { stored: true, verification: { outcome: "verified" }, errors: [] };
    expect(report).toMatchObject({
      status: "partial",
      exitCode: 3,
      destinations: [
        {
          stored: false,
          errors: [{ code: "TRANSIENT", message: expect.stringMatching(/accepted nothing for 6 s/) as string }],
        },
        stored,
        { stored: false, errors: [{ code: "QUOTA", fix: expect.stringContaining("Free some space") as string }] },
        stored,
      ],
    });
    const { id } = report;

    // One of them works again; what the others have is read from one of them, and the database is not asked.
    sandbox.environment.APP_URL = "postgres://nobody@127.0.0.1:1/nowhere";
    proxy.reset();
    const first = await retry(id, 3);
    expect(first).toMatchObject({
      id,
      status: "partial",
      // It was tried from each of the two that had it at first.
      destinations: [copied, present, { status: "failed", errors: [{ code: "QUOTA" }, { code: "QUOTA" }] }, present],
    });
    drive.full = false;
    expect(await retry(id, 0)).toMatchObject({ id, status: "ok", destinations: [present, present, copied, present] });
    const lists = printed(await sandbox.run("list", "--json")) as Listed[];
    expect(lists.map(({ backups }) => backups.map((backup) => [backup.id, backup.state]))).toEqual(
      lists.map(() => [[id, "verified"]]),
    );

    for (const destination of ["0", "2"]) {
      sandbox.environment.TARGET = await emptyDatabase(postgres, `copy_${destination}`);
      const restored = await sandbox.run("restore", id, "--to", "env:TARGET", "--destination", destination);
      expect(restored.code, restored.stderr).toBe(0);
      const { differences } = await compareDatabases(postgres.url("shop"), postgres.url(`copy_${destination}`));
      expect(differences).toEqual([]);
    }
  },
);
