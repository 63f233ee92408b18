import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../../tools/sample-database.ts";
import { addNoise } from "../../../helpers/databases.ts";
import { DESTINATION_CHECKS, expectWholeUse } from "../../../helpers/destinations.ts";
import { destinationChecks } from "../../../helpers/reports.ts";
import { Sandbox, type Ended } from "../../../helpers/sandbox.ts";
import { registerSecret } from "../../../../tools/services/known-secrets.ts";
import { DropboxService } from "../../../../tools/services/dropbox.ts";

const REDIRECT = fileURLToPath(new URL("../../../../tools/services/dropbox-redirect.ts", import.meta.url));

let postgres: Postgres;
let service: DropboxService;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 5 });
  // Does not compress: 20 MB of it do not fit one request.
  await addNoise(postgres, "shop", 650_000);
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  service = await DropboxService.start();
  sandbox = new Sandbox(postgres.url("shop"), {
    compression: { level: 1 },
    destinations: [
      {
        kind: "dropbox",
        folder: "/Backups",
        appKey: service.appKey,
        appSecret: { env: "DROPBOX_SECRET" },
        refreshToken: { env: "DROPBOX_TOKEN" },
      },
    ],
    retention: { last: 1 },
  });
  Object.assign(sandbox.environment, {
    DROPBOX_SECRET: service.appSecret,
    DROPBOX_TOKEN: service.refreshToken,
    DROPBOX_SERVICE: service.origin,
    NODE_OPTIONS: `--import=${REDIRECT}`,
  });
});
afterEach(async () => {
  sandbox.remove();
  await service.close();
});

/** Runs `provision`, and looks for secrets in what it prints and in what it asks for. */
async function run(...args: string[]): Promise<Ended> {
  const ended = await sandbox.run(...args);
  const asked = service.requests.map(
    ({ url, endpoint, argument }) => url + (endpoint === "oauth2/token" ? "" : argument),
  );
  for (const secret of [service.appSecret, service.refreshToken, ...service.tokens]) {
    for (const text of [ended.stdout, ended.stderr, ...asked]) expect(text.includes(secret), text).toBe(false);
  }
  return ended;
}

it("backs up to Dropbox, lists, verifies, restores and prunes, through faults that pass", async () => {
  service.misbehave("files/upload_session/append_v2", { kind: "lost" });
  service.misbehave("files/upload", { kind: "expire tokens" });
  service.misbehave("files/download", { kind: "cut response", bytes: 1_000 });
  const pendingFaults = () => service.pendingFaults;
  await expectWholeUse({ postgres, sandbox, run, pendingFaults, keys: () => service.files() });
});

/** The account takes no more. */
function fillUp(): void {
  const body = {
    error_summary: "path/insufficient_space/..",
    error: { ".tag": "path", path: { ".tag": "insufficient_space" }, reason: { ".tag": "insufficient_space" } },
  };
  for (const endpoint of ["files/upload", "files/upload_session/finish"]) {
    service.misbehave(endpoint, { kind: "answer", status: 409, body }, { times: 9 });
  }
}

it("makes no backup in an account that is full, and says what to do", async () => {
  fillUp();
  const ended = await run("backup");
  expect(ended.code).toBe(4);
  expect(ended.stdout + ended.stderr).toContain("the Dropbox account is full");
  expect(service.files()).toEqual([]);
});

const examine = async (code: number) => destinationChecks(await run("doctor", "--json"), code);

it("has doctor prove the store, and leave nothing", async () => {
  expect(Object.keys(await examine(0))).toEqual(DESTINATION_CHECKS);
  expect(service.files()).toEqual([]);
});

it.each([
  ["files.content.read", ["read"]],
  ["files.metadata.read", ["read", "list", "remove", "lease", "backups"]],
])("has doctor say that the scope %s is missing", async (scope, failing) => {
  service.scopes.delete(scope);
  const checks = await examine(2);
  const failed = Object.entries(checks).filter(([, { ok }]) => !ok);
  expect(failed.map(([what]) => what)).toEqual(failing);
  for (const [, { fix }] of failed) expect(fix).toContain(`Tick ${scope} under Permissions`);
});

const mistakes: [what: string, make: () => void, problem: string, fix: string][] = [
  [
    "an app that may not write",
    () => service.scopes.delete("files.content.write"),
    "the scope files.content.write is missing",
    "Tick files.content.write under Permissions",
  ],
  ["an account that is full", fillUp, "the Dropbox account is full", "keep fewer backups"],
  [
    "a refresh token that was taken back",
    () => {
      sandbox.environment.DROPBOX_TOKEN = registerSecret("a Dropbox token that was taken back", "taken-back-token-77");
    },
    "refresh token is invalid or revoked",
    "token_access_type=offline",
  ],
  [
    "another app's secret",
    () => {
      sandbox.environment.DROPBOX_SECRET = registerSecret("another Dropbox app's secret", "another-app-secret-77");
    },
    "Invalid client_id or client_secret",
    "appSecret",
  ],
];

it.each(mistakes)("has doctor explain %s, and stop there", async (_what, make, problem, fix) => {
  make();
  const checks = await examine(2);
  expect(Object.keys(checks)).toEqual(["write"]);
  expect(checks.write?.detail).toContain(problem);
  expect(checks.write?.fix).toContain(fix);
});
