import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../../tools/sample-database.ts";
import { s3 } from "../../../../providers/storage/s3.ts";
import { addNoise } from "../../../helpers/databases.ts";
import { DESTINATION_CHECKS, expectWholeUse } from "../../../helpers/destinations.ts";
import { fillLease } from "../../../helpers/leases.ts";
import { destinationChecks } from "../../../helpers/reports.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";
import { registerSecret } from "../../../../tools/services/known-secrets.ts";
import { FaultyProxy } from "../../../../tools/services/faulty-proxy.ts";
import { startVersitygw, type Versitygw } from "../../../../tools/services/versitygw.ts";

let postgres: Postgres;
let service: Versitygw;
let proxy: FaultyProxy;
let sandbox: Sandbox;
let buckets = 0;
let bucket: string;
beforeAll(async () => {
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 5 });
  // Does not compress: some 10 MB of it do not fit one request.
  await addNoise(postgres, "shop", 300_000);
  service = await startVersitygw();
  proxy = await FaultyProxy.start(service.url);
});
afterAll(async () => {
  await proxy.stop();
  await service.stop();
  await postgres.stop();
});
beforeEach(async () => {
  proxy.reset();
  sandbox = new Sandbox(postgres.url("shop"), { retention: { last: 1 } });
  sandbox.environment.S3_ID = service.accessKeyId;
  sandbox.environment.S3_SECRET = service.secretAccessKey;
  await useBucket();
});
afterEach(() => {
  sandbox.remove();
});

/** Takes a new bucket for the job's destination. */
async function useBucket(settings: object = {}, locks = false): Promise<void> {
  buckets += 1;
  bucket = `backups-${buckets}`;
  await service.client.createBucket({ Bucket: bucket, ObjectLockEnabledForBucket: locks });
  destination(settings);
}

/** Makes the bucket the job's destination. */
function destination(settings: object): void {
  const keys = { accessKeyId: { env: "S3_ID" }, secretAccessKey: { env: "S3_SECRET" } };
  sandbox.job.destinations = [{ kind: "s3", bucket, endpoint: proxy.url, retrySeconds: 2, ...keys, ...settings }];
}

/** What the bucket holds: objects, and in brackets versions that are hidden and what hides them. */
async function stored(): Promise<string[]> {
  const { Versions = [], DeleteMarkers = [] } = await service.client.listObjectVersions({ Bucket: bucket });
  return [...Versions, ...DeleteMarkers].map(({ Key = "" }) => Key);
}

const examine = async (code: number) => destinationChecks(await sandbox.run("doctor", "--json"), code);

it("backs up to S3, lists, verifies, restores and prunes, through faults that pass", async () => {
  proxy.misbehave({ kind: "swallow" }, ({ url }) => url.includes("partNumber="));
  proxy.misbehave({ kind: "cut-request", after: 50_000 }, ({ url }) => url.includes("partNumber=2"));
  proxy.misbehave(
    { kind: "cut-response", after: 1_000 },
    ({ method, url }) => method === "GET" && url.includes("dump"),
  );
  const run = (...args: string[]) => sandbox.run(...args);
  await expectWholeUse({ postgres, sandbox, run, pendingFaults: () => proxy.pending, keys: stored });
});

it("has doctor prove the store, and leave nothing", async () => {
  const checks = await examine(0);
  expect(Object.keys(checks)).toEqual(DESTINATION_CHECKS);
  expect(checks.remove?.detail).toBe("it was removed");
  expect(await stored()).toEqual([]);
});

it("says which run has the lease", async () => {
  const config = s3.schema.parse({ kind: "s3", bucket, endpoint: service.url });
  const { accessKeyId, secretAccessKey } = service;
  const storage = await s3.create(config, { secrets: { accessKeyId, secretAccessKey } });
  await fillLease(storage, { stack: "test", name: "app" }, 4, { host: "db1" });
  await storage.close();
  const told = 'a run on the host "db1" has it, since 2026-01-01T00:00:00Z by that host\'s clock';
  expect((await examine(0)).lease?.detail).toMatch(`${told}; it was renewed `);
  expect((await sandbox.run("list")).stdout).toBe(`s3 ${bucket} at ${proxy.url}: 0 backups\n  lease: ${told}\n`);
});

it("has doctor leave the locked version of what it hid", async () => {
  await useBucket({ objectLock: { mode: "governance", days: 3 } }, true);
  const { remove } = await examine(0);
  expect(remove).toMatchObject({ ok: true, detail: "it was hidden; the lock keeps its version for 3 days" });
  // The version, and what hides it.
  expect(await stored()).toHaveLength(2);
});

it("has doctor take a lock that holds for what was asked for, where versions are to be removed", async () => {
  await useBucket({ objectLock: { mode: "compliance", days: 3 }, removeVersions: true }, true);
  const { remove, backups } = await examine(0);
  expect(remove).toMatchObject({ ok: true, detail: expect.stringContaining("the store's lock keeps it") as string });
  expect(backups).toMatchObject({ ok: true });
  expect(await stored()).toHaveLength(1);
});

/** Lets the clock of the programs of the sandbox go wrong, by so many milliseconds. */
function shiftClock(byMs: number): void {
  const shift = `const real = Date.now; globalThis.Date = class extends Date {
    constructor(...args) { if (args.length === 0) super(real() + ${byMs}); else super(...args); }
    static now() { return real() + ${byMs}; }
  };`;
  sandbox.environment.NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(shift)}`;
}

/** The service refuses what is written, as one does that has no room. */
function fillUp(): void {
  const body = "<Error><Code>QuotaExceeded</Code><Message>The quota of the bucket is used up.</Message></Error>";
  const headers = { "content-type": "application/xml" };
  proxy.misbehave({ kind: "answer", status: 403, headers, body }, ({ method }) => method === "PUT", Infinity);
}

const mistakes: [what: string, make: () => void | Promise<void>, problem: string, fix: string][] = [
  [
    "the wrong region",
    () => {
      destination({ region: "eu-central-1" });
    },
    "the bucket is in another region",
    "Set region of the destination to us-east-1.",
  ],
  [
    "a bucket without the lock that the configuration asks for",
    () => {
      destination({ objectLock: { mode: "governance", days: 3 } });
    },
    "the bucket has no Object Lock",
    "use a bucket with Object Lock",
  ],
  [
    "a clock that is wrong",
    () => {
      shiftClock(3_600_000);
    },
    "this machine's clock is wrong",
    "Set the clock",
  ],
  [
    "a bucket that does not exist",
    () => {
      destination({ bucket: "elsewhere" });
    },
    "there is no such bucket",
    "Create the bucket",
  ],
  [
    "an access key that does not exist",
    () => {
      sandbox.environment.S3_ID = "AKIDOFSOMEBODYELSE";
    },
    "the credentials are not valid",
    "Check accessKeyId and secretAccessKey",
  ],
  [
    "an access key with another's secret",
    () => {
      sandbox.environment.S3_SECRET = registerSecret("another's S3 secret", "an0ther-s3cret/Access+Key=");
    },
    "the credentials are not valid",
    "do they belong together",
  ],
  ["a store that is full", fillUp, "the store is full", "Raise the quota"],
];

it.each(mistakes)("has doctor explain %s, and stop there", async (_what, make, problem, fix) => {
  await make();
  const checks = await examine(2);
  expect(Object.keys(checks)).toEqual(["write"]);
  expect(checks.write).toMatchObject({
    ok: false,
    detail: expect.stringContaining(problem) as string,
    fix: expect.stringContaining(fix) as string,
  });
  expect(await stored()).toEqual([]);
});

it("makes no backup in a store that is full, and says what to do", async () => {
  fillUp();
  const ended = await sandbox.run("backup");
  expect(ended.code).toBe(4);
  expect(ended.stdout + ended.stderr).toContain("Raise the quota");
  expect(await stored()).toEqual([]);
});
