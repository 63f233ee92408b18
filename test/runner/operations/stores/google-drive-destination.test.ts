import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../../tools/sample-database.ts";
import { addNoise } from "../../../helpers/databases.ts";
import { DESTINATION_CHECKS, expectWholeUse } from "../../../helpers/destinations.ts";
import { destinationChecks } from "../../../helpers/reports.ts";
import { Sandbox, type Ended } from "../../../helpers/sandbox.ts";
import { registerSecret } from "../../../../tools/services/known-secrets.ts";
import { googleError, GoogleDriveService } from "../../../../tools/services/google-drive.ts";

const redirect = fileURLToPath(new URL("../../../../tools/services/google-drive-redirect.ts", import.meta.url));

let postgres: Postgres;
let drive: GoogleDriveService;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 5 });
  // Does not compress: 20 MB of it do not fit one request.
  await addNoise(postgres, "shop", 650_000);
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
  await expectWholeUse({ postgres, sandbox, run, pendingFaults: () => drive.pendingFaults, keys: () => drive.files() });
  // Nothing is left of the one that was pruned, its folder neither.
  expect(drive.paths().filter((path) => path.endsWith("/"))).toHaveLength(4);
});

it("makes no backup in an account that is full, and says what to do", async () => {
  drive.full = true;
  const ended = await run("backup");
  expect(ended.code).toBe(4);
  expect(ended.stdout + ended.stderr).toContain("the Google account is full");
  expect(drive.files()).toEqual([]);
});

const examine = async (code: number) => destinationChecks(await run("doctor", "--json"), code);

it("has doctor prove the store, and leave nothing", async () => {
  expect(Object.keys(await examine(0))).toEqual(DESTINATION_CHECKS);
  expect(drive.files()).toEqual([]);
});

it("has doctor wait for searches that show a new file late", async () => {
  drive.searchLag = 10;
  expect((await examine(0)).list).toMatchObject({ ok: true, detail: "it was listed" });
  expect(drive.files()).toEqual([]);
});

/** The job's destination, with a service account in the place of a person. */
function asService(change: object = {}): void {
  sandbox.job.destinations = [
    { kind: "google-drive", folder: "/Backups", serviceAccountKey: { env: "GOOGLE_KEY" }, ...change },
  ];
}

const mistakes: [what: string, make: () => void, problem: string, fix: string][] = [
  [
    "a scope that is missing",
    () => {
      drive.scope = "drive.metadata.readonly";
    },
    "the access that was granted does not cover it",
    "with the scope https://www.googleapis.com/auth/drive.file",
  ],
  [
    "an account that is full",
    () => {
      drive.full = true;
    },
    "the Google account is full",
    "Free some space",
  ],
  [
    "a refresh token that was taken back",
    () => {
      sandbox.environment.GOOGLE_TOKEN = registerSecret("a Google token that was taken back", "1//taken-back-token-77");
    },
    "Token has been expired or revoked",
    "refresh token",
  ],
  [
    "another client's secret",
    () => {
      sandbox.environment.GOOGLE_SECRET = registerSecret("another Google client's secret", "GOCSPX-another-secret-77");
    },
    "invalid_client",
    "clientSecret",
  ],
  [
    "a service account without a shared drive",
    () => {
      asService();
    },
    "service account",
    "Use a shared drive",
  ],
  [
    "a folder that is not shared with the service account",
    () => {
      asService({ folderId: drive.put("Team", "folder") });
    },
    "does not see the folder",
    "share the folder with the service account backups@",
  ],
  [
    "a shared drive of which the service account is no member",
    () => {
      drive.members.delete("service");
      asService({ driveId: drive.driveId });
    },
    "there is no such shared drive, or",
    "add the account to the drive as a Content manager",
  ],
  [
    "a clock that is wrong",
    () => {
      drive.clockOffset = 3_600_000;
      asService({ driveId: drive.driveId });
    },
    "whose clock is 60 min behind",
    "Set the machine's clock",
  ],
];

it.each(mistakes)("has doctor explain %s, and stop there", async (_what, make, problem, fix) => {
  make();
  const checks = await examine(2);
  expect(Object.keys(checks)).toEqual(["write"]);
  expect(checks.write?.detail).toContain(problem);
  expect(checks.write?.fix).toContain(fix);
  expect(drive.files()).toEqual([]);
});
