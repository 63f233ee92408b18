import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DrillReport } from "../../runner/operations/drill.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { FaultyProxy } from "../../tools/services/faulty-proxy.ts";
import { startVersitygw, type Versitygw } from "../../tools/services/versitygw.ts";
import { addNoise, emptyDatabase, relationCount, sql } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { evilArchive, frameOf, sealedFrameOf, type Evil } from "../helpers/forge.ts";
import { backupFolder, makeBackup, printed } from "../helpers/reports.ts";
import { Sandbox } from "../helpers/sandbox.ts";

/*
 * Who attacks: who may write to the store, or runs it, and has no key. What they do: they put a small archive that runs a program in
 * the place of the dump, with padding behind it up to the same size, encrypted to the recipients that the manifest names; they leave
 * the manifest as it is. pg_restore commits at the end of the archive, before the padding has been read and the sum compared.
 * What must hold: nothing of it runs, the target stays empty, and the command ends with 5.
 */

const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);
const ENCRYPTED = { recipients: [recipient], identity: { env: "AGE_IDENTITY" } };

let postgres: Postgres;
let evil: Evil;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await sql(postgres, "postgres", "CREATE DATABASE shop");
  await addNoise(postgres, "shop", 100_000);
  evil = await evilArchive(postgres);
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  evil.reset();
  sandbox = new Sandbox(postgres.url("shop"), {
    // The attacker gets the most that a drill could give.
    drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true },
  });
  sandbox.environment.AGE_IDENTITY = identity;
  sandbox.environment.DRILL_URL = postgres.url("postgres");
  sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "target");
});
afterEach(() => {
  evil.reset();
  sandbox.remove();
});

const RESTORE = ["restore", "--to", "env:TARGET_URL"];

/** The forged object that takes the place of another. */
function forged(real: Buffer, encrypted: boolean): Promise<Buffer> {
  return encrypted
    ? sealedFrameOf(evil.archive, real.length, [recipient])
    : Promise.resolve(frameOf(evil.archive, real.length));
}

async function expectNothing(): Promise<void> {
  expect(evil.hasRun(), "the program ran").toBe(false);
  expect(await relationCount(postgres, "target")).toBe(0);
}

describe.each([
  ["plain", false, "database.dump.zst"],
  ["encrypted", true, "database.dump.zst.age"],
])("an archive of a %s backup that a writer of the store has forged", (_name, encrypted, file) => {
  beforeEach(async () => {
    if (encrypted) sandbox.job.encryption = ENCRYPTED;
    const { id } = await makeBackup(sandbox);
    const path = join(backupFolder(sandbox, id), file);
    writeFileSync(path, await forged(readFileSync(path), encrypted));
  });

  it.each([
    ["one job", []],
    ["two jobs", ["--jobs", "2"]],
    ["roles to create", ["--create-roles"]],
    ["a dry run", ["--dry-run"]],
  ])("runs nothing in a restore with %s", async (_how, options) => {
    const { code, stderr } = await sandbox.run(...RESTORE, ...options);
    expect([code, stderr]).toEqual([
      5,
      expect.stringContaining(`/${file}: as stored its SHA-256 is not the manifest's`),
    ]);
    await expectNothing();
  });

  it("runs nothing in a drill, which fails", async () => {
    const report = printed(await sandbox.run("drill", "latest", "--json"), 5) as DrillReport;
    expect(evil.hasRun(), "the program ran").toBe(false);
    expect(report).toMatchObject({ outcome: "drill-failed", problems: [expect.stringContaining(file)] });
  });
});

describe("an S3 store that is hostile", () => {
  let service: Versitygw;
  let proxy: FaultyProxy;
  let real: Buffer;
  beforeAll(async () => {
    service = await startVersitygw();
    proxy = await FaultyProxy.start(service.url);
  });
  afterAll(() => Promise.all([proxy.stop(), service.stop()]));
  beforeEach(async (context) => {
    proxy.reset();
    const bucket = `b-${context.task.id.replaceAll(/[^a-z0-9]/g, "")}`;
    await service.client.createBucket({ Bucket: bucket });
    Object.assign(sandbox.environment, { S3_ID: service.accessKeyId, S3_SECRET: service.secretAccessKey });
    const keys = { accessKeyId: { env: "S3_ID" }, secretAccessKey: { env: "S3_SECRET" } };
    sandbox.job.destinations = [{ kind: "s3", bucket, endpoint: proxy.url, retrySeconds: 2, ...keys }];
    const { id } = await makeBackup(sandbox);
    const got = await service.client.getObject({ Bucket: bucket, Key: `test/app/${id}/database.dump.zst` });
    real = Buffer.from((await got.Body?.transformToByteArray()) ?? []);
  });

  const isDump = ({ method, url }: { method: string; url: string }) =>
    method === "GET" && new URL(url, "http://x").pathname.endsWith("/database.dump.zst");

  /** Serves other bytes from the n-th reading of the dump on. */
  function serveFrom(reading: number, body: Buffer, times = Infinity): void {
    let left = reading;
    const headers = { "content-length": String(body.length), "content-type": "application/octet-stream", etag: '"f"' };
    proxy.misbehave(
      { kind: "answer", status: 200, headers, body },
      (request) => isDump(request) && (left -= 1) <= 0,
      times,
    );
  }

  it.each([
    ["one job", []],
    ["two jobs", ["--jobs", "2"]],
  ])(
    "and serves the real bytes first and forged ones then runs nothing in a restore with %s",
    async (_how, options) => {
      serveFrom(2, await forged(real, false));
      const { code, stderr } = await sandbox.run(...RESTORE, ...options);
      expect([code, stderr]).toEqual([5, expect.stringContaining("it changed between two readings")]);
      await expectNothing();
    },
  );

  it("and does so once, and is honest when it is asked again, runs nothing either", async () => {
    serveFrom(2, await forged(real, false), 1);
    const { code, stderr } = await sandbox.run(...RESTORE);
    expect([code, stderr]).toEqual([1, expect.stringContaining("it changed between two readings")]);
    await expectNothing();
  });

  it("runs nothing in a drill, which fails", async () => {
    serveFrom(2, await forged(real, false));
    const report = printed(await sandbox.run("drill", "latest", "--json"), 5) as DrillReport;
    expect(evil.hasRun(), "the program ran").toBe(false);
    expect(report.problems).toEqual([expect.stringContaining("it changed between two readings")]);
  });

  it("fills a target that trusts it, and its interruption during the padding is no success", async () => {
    serveFrom(1, await forged(real, false));
    proxy.reset();
    const body = await forged(real, false);
    const after = body.length - 1024 * 1024;
    const headers = { "content-length": String(body.length), etag: '"f"' };
    // All but the last part of the padding comes; the rest never does.
    proxy.misbehave({ kind: "answer", status: 200, headers, body: body.subarray(0, after) }, isDump, Infinity);
    const running = sandbox.start(...RESTORE, "--trust-store");
    await eventually(async () => {
      expect(await relationCount(postgres, "target")).toBeGreaterThan(0);
    });
    running.child.kill("SIGTERM");
    const { code, stdout, stderr } = await running.ended;
    expect([code, stdout], stderr).toEqual([143, ""]);
    expect(stderr).toContain("the database target is not empty");
  });
});
