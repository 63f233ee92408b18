import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { CopyReport } from "../../../runner/operations/copy.ts";
import type { Manifest } from "../../../runner/backups/documents/manifest.ts";
import { seal } from "../../../runner/backups/documents/sealed-json.ts";
import { compareDatabases } from "../../../tools/compare-databases.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../tools/sample-database.ts";
import { flipBit } from "../../helpers/damage.ts";
import { emptyDatabase, sql } from "../../helpers/databases.ts";
import { Random } from "../../helpers/random.ts";
import { backupFolder, makeBackup, printed, type Listed } from "../../helpers/reports.ts";
import { sampleManifest } from "../../helpers/sample-manifest.ts";
import { Sandbox } from "../../helpers/sandbox.ts";
import { filesIn } from "../../helpers/store.ts";
import { DropboxService } from "../../../tools/services/dropbox.ts";
import { GoogleDriveService } from "../../../tools/services/google-drive.ts";
import { startVersitygw, type Versitygw } from "../../../tools/services/versitygw.ts";

const redirects = ["dropbox", "google-drive"].map((name) =>
  fileURLToPath(new URL(`../../../tools/services/${name}-redirect.ts`, import.meta.url)),
);
const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);

let postgres: Postgres;
let gateway: Versitygw;
let service: DropboxService;
let drive: GoogleDriveService;
let sandbox: Sandbox;
let bucket = 0;
beforeAll(async () => {
  [postgres, gateway] = await Promise.all([startPostgres(), startVersitygw()]);
  await createSampleDatabase(postgres.url("shop"), { megabytes: 1 });
});
afterAll(() => Promise.all([postgres.stop(), gateway.stop()]));
beforeEach(async () => {
  [service, drive] = await Promise.all([DropboxService.start(), GoogleDriveService.start()]);
  bucket += 1;
  await gateway.client.createBucket({ Bucket: `bucket-${bucket}` });
  sandbox = new Sandbox(postgres.url("shop"));
  Object.assign(sandbox.environment, {
    DROPBOX_SECRET: service.appSecret,
    DROPBOX_TOKEN: service.refreshToken,
    DROPBOX_SERVICE: service.origin,
    GOOGLE_SECRET: drive.clientSecret,
    GOOGLE_TOKEN: drive.refreshToken,
    GOOGLE_DRIVE_SERVICE: drive.origin,
    NODE_OPTIONS: redirects.map((path) => `--import=${path}`).join(" "),
    AWS_KEY: gateway.accessKeyId,
    AWS_SECRET: gateway.secretAccessKey,
  });
});
afterEach(async () => {
  sandbox.remove();
  await Promise.all([service.close(), drive.close()]);
});

const folder = (name = "store") => ({ kind: "filesystem", path: join(sandbox.path, name) });
const dropbox = () => ({
  kind: "dropbox",
  folder: "/backups",
  appKey: service.appKey,
  appSecret: { env: "DROPBOX_SECRET" },
  refreshToken: { env: "DROPBOX_TOKEN" },
});
const googleDrive = () => ({
  kind: "google-drive",
  folder: "/backups",
  clientId: drive.clientId,
  clientSecret: { env: "GOOGLE_SECRET" },
  refreshToken: { env: "GOOGLE_TOKEN" },
});
const s3 = () => ({
  kind: "s3",
  bucket: `bucket-${bucket}`,
  region: "us-east-1",
  endpoint: gateway.url,
  accessKeyId: { env: "AWS_KEY" },
  secretAccessKey: { env: "AWS_SECRET" },
});

async function copy(...args: string[]): Promise<CopyReport[]> {
  return printed(await sandbox.run("copy", "--json", ...args)) as CopyReport[];
}

async function lists(): Promise<Listed["backups"][]> {
  return (printed(await sandbox.run("list", "--json")) as Listed[]).map(({ backups }) => backups);
}

/** Two ids of one second would sort by chance. */
const nextSecond = () => sleep(1000 - (Date.now() % 1000));

async function expectRestores(id: string, ...options: string[]): Promise<void> {
  sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy");
  const { code, stderr } = await sandbox.run("restore", id, "--to", "env:TARGET_URL", ...options);
  expect(code, stderr).toBe(0);
  expect((await compareDatabases(postgres.url("shop"), postgres.url("copy"))).differences).toEqual([]);
}

describe("a job that changes its store keeps its history", () => {
  it("by copying it while it has both", async () => {
    sandbox.job.destinations = [dropbox()];
    const ids: string[] = [];
    for (let run = 0; run < 2; run += 1) {
      ids.push((await makeBackup(sandbox)).id);
      await nextSecond();
    }
    sandbox.job.destinations = [dropbox(), googleDrive()];
    const copied = await copy("--all", "--from", "dropbox", "--to", "google-drive");
    expect(copied).toMatchObject(
      ids.map((id) => ({ id, status: "copied", copied: 2, kept: 0, verification: { outcome: "verified" } })),
    );
    const [before, after] = await lists();
    expect(after?.map(({ id, state }) => [id, state])).toEqual(ids.map((id) => [id, "verified"]));
    expect(before).toHaveLength(2);

    sandbox.job.destinations = [googleDrive()];
    ids.push((await makeBackup(sandbox)).id);
    expect((await lists())[0]?.map(({ id, state }) => [id, state])).toEqual(ids.map((id) => [id, "verified"]));
    for (const id of ids.slice(1)) await expectRestores(id);
  });

  it("or afterwards, with the job's former file, once and not again", async () => {
    sandbox.job.destinations = [folder()];
    const { id } = await makeBackup(sandbox);
    const former = join(sandbox.path, "former.json");
    writeFileSync(former, JSON.stringify(sandbox.job));
    sandbox.job.destinations = [s3()];
    const args = ["--all", "--from-job", former];
    expect(await copy(...args)).toMatchObject([{ id, status: "copied", verification: { outcome: "verified" } }]);
    const objects = async () => {
      const { Contents = [] } = await gateway.client.listObjectsV2({ Bucket: `bucket-${bucket}` });
      return Contents.map(({ Key, LastModified }) => `${Key ?? ""} ${LastModified?.toISOString() ?? ""}`);
    };
    const first = await objects();
    expect(first.map((line) => line.split("/").at(-1))).toEqual([
      expect.stringMatching(/^copied-\d{8}T\d{6}Z\.json /),
      expect.stringMatching(/^database\.dump\.zst /),
      expect.stringMatching(/^manifest\.json /),
      expect.stringMatching(/^roles\.sql\.zst /),
      ...Array.from(first.slice(4), () => expect.stringMatching(/^verified-/) as unknown),
    ]);
    const { code, stdout } = await sandbox.run("copy", ...args);
    expect([code, stdout]).toEqual([0, `${id}: s3 bucket-${bucket} at ${gateway.url} has it already\n`]);
    expect(await objects()).toEqual(first);
  });

  it("without the private key, and with what was found of a backup earlier", async () => {
    sandbox.job.encryption = { recipients: [recipient] };
    const { id } = await makeBackup(sandbox);
    sandbox.job.destinations = [folder(), folder("second")];
    expect(await copy("--from", "0", "--to", "1")).toMatchObject([{ id, verification: { outcome: "stored" } }]);
    expect((await lists())[1]).toMatchObject([{ id, state: "verified" }]);
    const [first, second] = ["store", "second"].map((name) =>
      filesIn(join(sandbox.path, name)).filter((file) => !file.includes("/copied-")),
    );
    expect(second).toEqual(first);
    sandbox.environment.AGE_IDENTITY = identity;
    await expectRestores(id, "--destination", "1", "--identity", "env:AGE_IDENTITY");
  });
});

describe("an interrupted copy", () => {
  it("shows no backup, is left alone by a run's prune, and goes on where it was", async () => {
    sandbox.job.retention = { last: 5 };
    const { id } = await makeBackup(sandbox);
    sandbox.job.destinations = [folder(), dropbox()];
    // The record of the copy and the dump come first; the roles hang.
    service.misbehave("files/upload", { kind: "stall" }, { after: 2 });
    const run = sandbox.start("copy", "--from", "filesystem", "--to", "dropbox");
    const stored = () => service.files().map((path) => path.split("/").at(-1) ?? "");
    while (stored().length < 2 || service.pendingFaults > 0) {
      if (run.child.exitCode !== null) throw new Error((await run.ended).stderr);
      await sleep(10);
    }
    expect((await lists())[1]).toEqual([]);
    sandbox.job.destinations = [dropbox()];
    const other = await makeBackup(sandbox);
    expect(other.destinations[0]?.prune).toMatchObject({ unfinished: [] });
    run.child.kill("SIGKILL");
    await run.ended;
    sandbox.job.destinations = [folder(), dropbox()];
    expect(await copy("--from", "filesystem", "--to", "dropbox")).toMatchObject([
      { id, status: "copied", copied: 1, kept: 1, verification: { outcome: "verified" } },
    ]);
    expect((await lists())[1]).toMatchObject([{ id, state: "verified" }, { id: other.id }]);
  });

  it("by kill -9 at any moment never shows half a backup, and is completed by the next", async () => {
    const random = new Random(20_260_103);
    await sql(postgres, "postgres", `CREATE DATABASE noise`);
    const noise = "SELECT gen_random_uuid() AS a, gen_random_uuid() AS b FROM generate_series(1, 400000)";
    await sql(postgres, "noise", `CREATE TABLE noise AS ${noise}`);
    sandbox.environment.APP_URL = postgres.url("noise");
    const { id } = await makeBackup(sandbox);
    sandbox.job.destinations = [folder(), folder("second"), s3()];
    const size = statSync(join(backupFolder(sandbox, id), "database.dump.zst")).size;
    const second = join(sandbox.path, "second/test/app", id);
    /** The size of a file; 0 where it got its final name, or went, since it was listed. */
    const sizeOf = (file: string) => statSync(join(second, file), { throwIfNoEntry: false })?.size ?? 0;
    /** Bytes that have arrived in the folder, hidden files included. */
    const arrived = () => (existsSync(second) ? filesIn(second).reduce((sum, file) => sum + sizeOf(file), 0) : 0);
    let unfinished = 0;
    for (const to of ["1", "2"]) {
      for (let kill = 0; kill < 3; kill += 1) {
        const run = sandbox.start("copy", "--from", "0", "--to", to);
        if (to === "1") {
          const enough = arrived() + size * 0.7 * random.next();
          while (arrived() < enough && run.child.exitCode === null) await sleep(1);
        } else await sleep(1500 * random.next());
        run.child.kill("SIGKILL");
        await run.ended;
        if (to === "1" && !existsSync(join(second, "manifest.json"))) unfinished += 1;
        for (const backup of (await lists())[Number(to)] ?? []) {
          expect(backup.id).toBe(id);
          const { code, stderr } = await sandbox.run("verify", id, "--destination", to);
          expect(code, stderr).toBe(0);
        }
      }
      const [report] = await copy("--from", "0", "--to", to);
      expect(report).toMatchObject({ id });
      expect((await lists())[Number(to)]).toMatchObject([{ id, state: "verified" }]);
      expect((await sandbox.run("verify", id, "--destination", to)).code).toBe(0);
    }
    // The moments were not all before or after the copying.
    expect(unfinished).toBeGreaterThan(0);
  }, 180_000);

  it("ends with 143 at SIGTERM", async () => {
    await makeBackup(sandbox);
    sandbox.job.destinations = [folder(), dropbox()];
    service.misbehave("files/upload", { kind: "stall" }, { after: 1 });
    const run = sandbox.start("copy", "--from", "0", "--to", "1");
    while (service.pendingFaults > 0) await sleep(10);
    run.child.kill("SIGTERM");
    expect((await run.ended).code).toBe(143);
    expect((await lists())[1]).toEqual([]);
  });
});

describe("what is damaged", () => {
  it("in the store that it comes from is refused, and keeps no other backup from being copied", async () => {
    const bad = await makeBackup(sandbox);
    await nextSecond();
    const good = await makeBackup(sandbox);
    flipBit(join(backupFolder(sandbox, bad.id), "database.dump.zst"));
    sandbox.job.destinations = [folder(), folder("second")];
    const one = await sandbox.run("copy", bad.id, "--from", "0", "--to", "1");
    expect([one.code, one.stderr]).toEqual([
      5,
      expect.stringMatching(/filesystem .*\/store: test\/app\/.*database\.dump\.zst: as stored its SHA-256/),
    ]);
    expect((await lists())[1]).toEqual([]);
    const results = printed(await sandbox.run("copy", "--all", "--from", "0", "--to", "1", "--json"), 5);
    expect(results).toMatchObject([
      { id: bad.id, status: "failed", error: { code: "INTEGRITY" } },
      { id: good.id, status: "copied" },
    ]);
    expect((await lists())[1]).toMatchObject([{ id: good.id, state: "verified" }]);
    const names = filesIn(join(sandbox.path, "second")).filter((file) => file.includes(bad.id));
    expect(names.filter((file) => !file.includes("/copied-"))).toEqual([]);
  });

  it.each<[string, (file: string) => void, number]>([
    [
      "is of another size",
      (file) => {
        truncateSync(file, 1000);
      },
      0,
    ],
    ["is of the same size", flipBit, 0],
    ["is right", () => undefined, 1],
  ])(
    "in the store that it goes to is replaced, where there is no manifest: an object that %s",
    async (_what, change, kept) => {
      const { id } = await makeBackup(sandbox);
      const there = join(sandbox.path, "second/test/app", id);
      mkdirSync(there, { recursive: true });
      const file = join(there, "database.dump.zst");
      writeFileSync(file, readFileSync(join(backupFolder(sandbox, id), "database.dump.zst")), { mode: 0o600 });
      change(file);
      sandbox.job.destinations = [folder(), folder("second")];
      expect(await copy("--from", "0", "--to", "1")).toMatchObject([
        { id, status: "copied", kept, copied: 2 - kept, verification: { outcome: "verified" } },
      ]);
    },
  );

  it("in the store that it goes to is not touched where it has a manifest", async () => {
    const { id } = await makeBackup(sandbox);
    sandbox.job.destinations = [folder(), folder("second")];
    await copy("--from", "0", "--to", "1");
    rmSync(join(sandbox.path, "second/test/app", id, "roles.sql.zst"));
    const again = await sandbox.run("copy", "--from", "0", "--to", "1");
    expect([again.code, again.stderr]).toEqual([
      5,
      expect.stringMatching(/roles\.sql\.zst is missing or cut[\s\S]*Remove test/),
    ]);

    const manifest = join(sandbox.path, "second/test/app", id, "manifest.json");
    writeFileSync(manifest, seal(sampleManifest(id, { stack: "test", name: "app" })));
    const other = await sandbox.run("copy", "--from", "0", "--to", "1");
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining("which is not that of filesystem")]);
  });
});

it("holds no more in memory for a large backup", async () => {
  const id = "20260102T030405Z-1a2b3c";
  const there = join(sandbox.store, "test/app", id);
  mkdirSync(there, { recursive: true, mode: 0o700 });
  const piece = Buffer.alloc(1 << 20, "provision");
  const hash = createHash("sha256");
  const pieces = 600;
  for (let count = 0; count < pieces; count += 1) {
    hash.update(piece);
    writeFileSync(join(there, "database.dump.zst"), piece, { flag: "a", mode: 0o600 });
  }
  const manifest: Manifest = sampleManifest(id, { stack: "test", name: "app" });
  const [object] = manifest.objects;
  if (!object) throw new Error("no object");
  const stored = { size: pieces * piece.length, sha256: hash.digest("hex") };
  // Encrypted, for all that anybody knows: then the copy is compared byte by byte and not parsed.
  manifest.objects = [{ ...object, encryption: "age", stored }];
  writeFileSync(join(there, "manifest.json"), seal(manifest), { mode: 0o600 });
  const report = join(sandbox.path, "peak");
  const measure = join(sandbox.path, "measure.mjs");
  writeFileSync(
    measure,
    `import { writeFileSync } from "node:fs";
     process.on("exit", () => writeFileSync(${JSON.stringify(report)}, String(process.resourceUsage().maxRSS / 1024)));`,
  );
  sandbox.environment.NODE_OPTIONS = `--import=${measure}`;
  sandbox.job.destinations = [folder(), s3()];
  expect(await copy("--from", "0", "--to", "1")).toMatchObject([{ id, bytes: stored.size }]);
  expect(existsSync(report)).toBe(true);
  expect(Number(readFileSync(report, "utf8"))).toBeLessThan(220);
});

describe("wrong usage of copy ends with 2:", () => {
  it.each<[string, string[], RegExp]>([
    [
      "no --from",
      ["--to", "1"],
      /--from is needed: the job has 3 destinations[\s\S]*0 is filesystem, 1 is filesystem, 2 is s3/,
    ],
    ["a kind that two have", ["--from", "filesystem", "--to", "s3"], /--from filesystem is more than one destination/],
    ["a kind that none has", ["--from", "0", "--to", "dropbox"], /--to dropbox is no destination/],
    ["a number that is none's", ["--from", "0", "--to", "3"], /--to 3 is no destination/],
    ["the same twice", ["--from", "2", "--to", "s3"], /both destination 2/],
    [
      "a former job that is not there",
      ["--from-job", "/nonexistent.json", "--to", "0"],
      /nonexistent\.json cannot be read/,
    ],
    [
      "a backup that is not there",
      ["20260102T030405Z-1a2b3c", "--from", "0", "--to", "1"],
      /has no backup "20260102T030405Z-1a2b3c"/,
    ],
  ])("%s", async (_what, args, message) => {
    sandbox.job.destinations = [folder(), folder("second"), s3()];
    const { code, stderr } = await sandbox.run("copy", ...args);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});
