import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { emptyDatabase, relationCount, sql } from "../helpers/databases.ts";
import { Sandbox, type Ended } from "../helpers/sandbox.ts";
import { googleError, GoogleDriveService } from "../services/google-drive.ts";

const redirect = fileURLToPath(new URL("../services/google-drive-redirect.ts", import.meta.url));

let postgres: Postgres;
let drive: GoogleDriveService;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 5 });
  // Does not compress: 20 MB of it do not fit one request.
  const noise = "SELECT n, gen_random_uuid() AS one, gen_random_uuid() AS two FROM generate_series(1, 650000) n";
  await sql(postgres, "shop", `CREATE TABLE noise AS ${noise}`);
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  drive = await GoogleDriveService.start();
  sandbox = new Sandbox(postgres.url("shop"), {
    compression: { level: 1 },
    destinations: [googleDrive()],
    retention: { last: 1 },
  });
  Object.assign(sandbox.environment, {
    GOOGLE_SECRET: drive.clientSecret,
    GOOGLE_TOKEN: drive.refreshToken,
    GOOGLE_KEY: drive.serviceAccountKey,
    GOOGLE_DRIVE_SERVICE: drive.origin,
    NODE_OPTIONS: `--import=${redirect}`,
  });
});
afterEach(async () => {
  sandbox.remove();
  await drive.close();
});

const googleDrive = (change: object = {}) => ({
  kind: "google-drive",
  folder: "/Backups",
  clientId: drive.clientId,
  clientSecret: { env: "GOOGLE_SECRET" },
  refreshToken: { env: "GOOGLE_TOKEN" },
  ...change,
});

/** Runs `provision`, and looks for secrets in what it prints and in what it asks for. */
async function run(...args: string[]): Promise<Ended> {
  const ended = await sandbox.run(...args);
  const asked = drive.requests.map(({ url, endpoint, argument }) => url + (endpoint === "token" ? "" : argument));
  for (const secret of [drive.clientSecret, drive.refreshToken, ...drive.tokens]) {
    for (const text of [ended.stdout, ended.stderr, ...asked]) expect(text.includes(secret), text).toBe(false);
  }
  for (const text of [ended.stdout, ended.stderr]) expect(text).not.toMatch(/upload_id=|PRIVATE KEY/);
  return ended;
}

it("backs up to Google Drive, lists, verifies, restores and prunes, through faults that pass", async () => {
  drive.misbehave("put", { kind: "lost" });
  drive.misbehave("multipart", { kind: "expire tokens" });
  drive.misbehave("list", { kind: "answer", ...googleError(403, "userRateLimitExceeded", "No.") }, { after: 3 });
  drive.misbehave("download", { kind: "cut response", bytes: 1_000 });
  const first = await run("backup");
  expect(first.code, first.stderr).toBe(0);
  expect(drive.pendingFaults, "faults that nothing ran into").toBe(0);
  expect(drive.files().some((path) => path.endsWith("/manifest.json"))).toBe(true);

  const second = await run("backup");
  expect(second.code, second.stderr).toBe(0);
  const folders = new Set(drive.files().map((path) => path.split("/").slice(0, -1).join("/")));
  expect([...folders]).toHaveLength(1);
  // Nothing is left of the one that was pruned, its folder neither.
  expect(drive.paths().filter((path) => path.endsWith("/"))).toHaveLength(4);

  const list = await run("list");
  expect(list.code, list.stderr).toBe(0);
  expect(list.stdout).toContain([...folders][0]?.split("/").at(-1));

  const verify = await run("verify");
  expect(verify.code, verify.stderr).toBe(0);

  sandbox.environment.TARGET = await emptyDatabase(postgres, "restored");
  const restore = await run("restore", "--to", "env:TARGET");
  expect(restore.code, restore.stderr).toBe(0);
  expect(await relationCount(postgres, "restored")).toBe(await relationCount(postgres, "shop"));
});

it("makes no backup in an account that is full, and says what to do", async () => {
  drive.full = true;
  const ended = await run("backup");
  expect(ended.code).toBe(4);
  expect(ended.stdout + ended.stderr).toContain("the Google account is full");
  expect(drive.files()).toEqual([]);
});

it("has doctor prove the store, and explain what is missing", async () => {
  const fine = await run("doctor");
  expect(fine.code, fine.stdout).toBe(0);
  expect(drive.files()).toEqual([]);

  const explained = async () => {
    const ended = await run("doctor");
    expect(ended.code).not.toBe(0);
    return ended.stdout + ended.stderr;
  };
  drive.scope = "drive.metadata.readonly";
  expect(await explained()).toContain("with the scope https://www.googleapis.com/auth/drive.file");

  const asService = (change: object = {}) => ({
    kind: "google-drive",
    folder: "/Backups",
    serviceAccountKey: { env: "GOOGLE_KEY" },
    ...change,
  });
  sandbox.job.destinations = [asService()];
  expect(await explained()).toContain("Use a shared drive");
  sandbox.job.destinations = [asService({ folderId: drive.put("Team", "folder") })];
  expect(await explained()).toContain(`share the folder with the service account ${drive.email}`);
  drive.clockOffset = 3_600_000;
  sandbox.job.destinations = [asService({ driveId: drive.driveId })];
  expect(await explained()).toContain("whose clock is 60 min behind");
});
