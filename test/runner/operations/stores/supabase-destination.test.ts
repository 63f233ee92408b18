import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../../tools/sample-database.ts";
import { addNoise, emptyDatabase } from "../../../helpers/databases.ts";
import { DESTINATION_CHECKS, expectWholeUse } from "../../../helpers/destinations.ts";
import { eventually } from "../../../helpers/eventually.ts";
import { destinationChecks } from "../../../helpers/reports.ts";
import { Sandbox, type Ended } from "../../../helpers/sandbox.ts";
import { registerSecret } from "../../../../tools/services/known-secrets.ts";
import { FaultyProxy, type PassedRequest } from "../../../../tools/services/faulty-proxy.ts";
import { SupabaseS3 } from "../../../../tools/services/supabase-s3.ts";
import { SupabaseStorageService } from "../../../../tools/services/supabase-storage.ts";
import { startVersitygw } from "../../../../tools/services/versitygw.ts";

const MiB = 1024 * 1024;

let postgres: Postgres;
let service: SupabaseStorageService;
let proxy: FaultyProxy;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 5 });
  // Does not compress: some 10 MB of it do not fit one request.
  await addNoise(postgres, "shop", 300_000);
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  service = await SupabaseStorageService.start();
  proxy = await FaultyProxy.start(service.url);
});
afterEach(async () => {
  sandbox.remove();
  await proxy.stop();
  await service.close();
});

/** A job with one destination of the kind. */
function job(settings: object, environment: Readonly<Record<string, string>>): void {
  const destination = { kind: "supabase", url: proxy.url, bucket: "backups", ...settings };
  sandbox = new Sandbox(postgres.url("shop"), { destinations: [destination], retention: { last: 1 } });
  Object.assign(sandbox.environment, environment);
}

/** Runs `provision`, and looks for secrets in what it prints and in the addresses that it asks. */
async function run(...args: string[]): Promise<Ended> {
  const ended = await sandbox.run(...args);
  const seen = [ended.stdout, ended.stderr, ...proxy.requests.map(({ url }) => url)];
  for (const text of seen) expect(text.includes(service.serviceKey), text).toBe(false);
  return ended;
}

it("backs up to Supabase, lists, verifies, restores and prunes, through faults that pass", async () => {
  job({ key: { env: "SUPABASE_KEY" } }, { SUPABASE_KEY: service.serviceKey });
  proxy.misbehave({ kind: "swallow" }, ({ method }) => method === "PATCH");
  proxy.misbehave(
    { kind: "cut-response", after: 1_000 },
    ({ method, url }) => method === "GET" && url.includes("dump"),
  );
  const pendingFaults = () => proxy.pending;
  await expectWholeUse({ postgres, sandbox, run, pendingFaults, keys: () => [...service.objects.keys()] });
});

const examine = async (code: number) => destinationChecks(await run("doctor", "--json"), code);

it("has doctor prove the store, and leave nothing", async () => {
  job({ key: { env: "SUPABASE_KEY" } }, { SUPABASE_KEY: service.serviceKey });
  expect(Object.keys(await examine(0))).toEqual(DESTINATION_CHECKS);
  expect(service.objects.size).toBe(0);
});

/** The service refuses what is written, as one does that has no room. */
function refuse(status: number, code: string, message: string): void {
  const body = JSON.stringify({ statusCode: String(status), code, error: code, message });
  const headers = { "content-type": "application/json" };
  proxy.misbehave({ kind: "answer", status, headers, body }, ({ method }) => method === "POST", Infinity);
}

interface Mistake {
  readonly settings?: object;
  readonly key?: () => string;
  readonly make?: () => void;
  readonly fix: string;
}

const mistakes: Record<string, Mistake> = {
  "a bucket that does not exist": { settings: { bucket: "elsewhere" }, fix: "Storage > New bucket" },
  "the anon key": { key: () => service.anonKey, fix: "service_role" },
  "a key that is wrong": {
    key: () => registerSecret("a wrong Supabase key", "sb_secret_wrong"),
    fix: "Project Settings > API Keys",
  },
  "a user's key": { key: () => service.userKey, fix: "bound by the policies" },
  "a disk that is full": {
    make: () => {
      refuse(503, "DatabaseReadOnly", "The database is currently in read-only mode");
    },
    fix: "enlarge its disk",
  },
  "a plan that is used up": {
    make: () => {
      refuse(402, "", "exceed_storage_size_quota");
    },
    fix: "raise the plan or the spend cap",
  },
  "a limit of objects' sizes that is too small": {
    make: () => {
      service.sizeLimit = 500;
    },
    fix: "file size limit",
  },
};

it.each(Object.entries(mistakes))("has doctor explain %s, and stop there", async (_what, mistake) => {
  const { settings = {}, key = () => service.serviceKey, make, fix } = mistake;
  job({ key: { env: "SUPABASE_KEY" }, retrySeconds: 1, ...settings }, { SUPABASE_KEY: key() });
  make?.();
  const checks = Object.values(await examine(2));
  expect(checks).toMatchObject([{ ok: false, fix: expect.stringContaining(fix) as string }]);
  expect(service.objects.size).toBe(0);
});

it("takes S3 access keys, which stand inside another field", async () => {
  const behind = await startVersitygw();
  const s3 = await SupabaseS3.start(behind);
  try {
    await behind.client.createBucket({ Bucket: "backups" });
    const keys = { accessKeyId: { env: "S3_ID" }, secretAccessKey: { env: "S3_SECRET" } };
    const access = { S3_ID: s3.accessKeyId, S3_SECRET: s3.secretAccessKey };
    job({ url: s3.url, s3: { region: s3.region, ...keys } }, access);
    const fine = await run("doctor");
    expect(fine.code, fine.stdout).toBe(0);
    delete sandbox.environment.S3_SECRET;
    const ended = await run("doctor");
    expect(ended.stdout + ended.stderr).toContain("destinations[0].s3.secretAccessKey");
  } finally {
    await s3.stop();
    await behind.stop();
  }
});

describe.each(["file", "s3"] as const)("a Storage that keeps its files on %s", (backend) => {
  const isChunk = ({ method }: PassedRequest) => method === "PATCH";
  const records = () => [...service.objects.keys()].filter((name) => name.includes("=uploads/"));
  beforeEach(() => {
    service.backend = backend;
    // The sockets of a killed process are closed, and the service takes what came as the piece of a chunk.
    job({ key: { env: "SUPABASE_KEY" } }, { SUPABASE_KEY: service.serviceKey });
  });

  /** Kills a run while it sends a chunk. */
  const kill = async () => {
    proxy.reset();
    proxy.misbehave({ kind: "stall-request", after: 2 * MiB }, isChunk);
    const { child, ended } = sandbox.start("backup");
    await eventually(() => {
      expect(proxy.requests.find(isChunk)?.bytes).toBeGreaterThanOrEqual(2 * MiB);
    });
    child.kill("SIGKILL");
    await ended;
    expect(service.openUploads).toBe(1);
    expect(records()).toHaveLength(1);
  };

  it("has nothing of a killed run's upload after the next run", async () => {
    await kill();
    // What began in the very second of a run's start counts as its own.
    await sleep(1000);
    expect((await run("backup")).code).toBe(0);
    expect([service.openUploads, service.cutPieces, records()]).toEqual([0, 0, []]);
  });

  it("loses a killed run's upload by prune, and not that of a run that is going on", async () => {
    await kill();
    const [record = ""] = records();
    const DAYS_AGO = new Date(Date.now() - 3 * 86_400_000).toISOString();
    const found = service.objects.get(record);
    if (found !== undefined) service.objects.set(record, { ...found, moment: DAYS_AGO });
    proxy.reset();
    proxy.misbehave({ kind: "answer", status: 503, headers: { "retry-after": "20" } }, isChunk);
    const going = sandbox.start("backup");
    await eventually(() => {
      expect(proxy.requests.find(isChunk)?.status).toBe(503);
    });
    expect(service.openUploads).toBe(2);
    const pruned = await run("prune", "--json");
    expect(pruned.code, pruned.stderr).toBe(0);
    expect(JSON.parse(pruned.stdout)).toMatchObject([{ interruptedUploads: 1 }]);
    expect(service.openUploads).toBe(1);
    expect(records()).toHaveLength(1);
    expect((await going.ended).code).toBe(0);
    expect([service.openUploads, service.cutPieces, records()]).toEqual([0, 0, []]);
  });

  it("has restore and verify name an object whose content is lost, at once", async () => {
    expect((await run("backup")).code).toBe(0);
    const dump = [...service.objects.keys()].find((name) => name.includes("/database.dump")) ?? "";
    service.rowsAlone.add(dump);
    sandbox.environment.TARGET = await emptyDatabase(postgres, `lost_on_${backend}`);
    for (const command of [["restore", "--to", "env:TARGET"], ["verify"]]) {
      proxy.reset();
      const { code, stdout, stderr } = await run(...command);
      expect(code, stderr).toBe(5);
      expect(stdout + stderr).toContain(`${dump.split("/").slice(1).join("/")}: it is missing`);
      // Each reading asks twice, and what is damaged is read twice.
      expect(proxy.requests.filter(({ url }) => url.endsWith(dump)).length).toBeLessThanOrEqual(8);
    }
  });
});
