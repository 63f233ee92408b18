import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../../tools/sample-database.ts";
import { addNoise, emptyDatabase } from "../../../helpers/databases.ts";
import { makeBackup } from "../../../helpers/reports.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";
import { startVersitygw, type Versitygw } from "../../../../tools/services/versitygw.ts";

let postgres: Postgres;
let service: Versitygw;
let sandbox: Sandbox;
beforeAll(async () => {
  [postgres, service] = await Promise.all([startPostgres(), startVersitygw()]);
  await createSampleDatabase(postgres.url("shop"), { megabytes: 2 });
  // Does not compress: some 10 MB of it do not fit one request.
  await addNoise(postgres, "shop", 300_000);
});
afterAll(() => Promise.all([postgres.stop(), service.stop()]));
beforeEach(async () => {
  sandbox = new Sandbox(postgres.url("shop"), {
    drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true },
    retention: { last: 3 },
  });
  Object.assign(sandbox.environment, {
    S3_ID: service.accessKeyId,
    S3_SECRET: service.secretAccessKey,
    DRILL_URL: postgres.url("postgres"),
    TARGET_URL: await emptyDatabase(postgres, "copy"),
  });
});
afterEach(() => {
  sandbox.remove();
});

const s3 = (endpoint: string) => ({
  kind: "s3",
  bucket: "no-such-bucket",
  endpoint,
  retrySeconds: 1,
  accessKeyId: { env: "S3_ID" },
  secretAccessKey: { env: "S3_SECRET" },
});
const here = () => ({ kind: "filesystem", path: sandbox.store });
/** Nothing listens at either. */
const away = (port = 1) => s3(`http://127.0.0.1:${port}`);
const missing = () => s3(service.url);

const COMMANDS: Record<string, string[]> = {
  list: ["list"],
  verify: ["verify"],
  "verify --all": ["verify", "--all"],
  prune: ["prune"],
  drill: ["drill"],
  restore: ["restore", "--to", "env:TARGET_URL"],
  backup: ["backup", "--no-prune"],
};

/** How each of the commands ends, on a job with these destinations. */
async function codes(...destinations: object[]): Promise<Record<string, number | null>> {
  sandbox.job.destinations = destinations;
  const found: Record<string, number | null> = {};
  for (const [name, args] of Object.entries(COMMANDS)) {
    const { code, stderr, stdout } = await sandbox.run(...args);
    found[name] = code;
    if (code !== 0) expect(stderr + stdout, name).toContain("Fix: ");
  }
  return found;
}

const all = (code: number, backup: number) => ({
  ...Object.fromEntries(Object.keys(COMMANDS).map((name) => [name, code])),
  backup,
});

describe("a store that cannot be reached is no damage:", { timeout: 180_000 }, () => {
  it("the only one ends a backup with 4 and anything else with 1", async () => {
    expect(await codes(away())).toEqual(all(1, 4));
  });

  it("one of two ends with 3 what is done in each", async () => {
    await makeBackup(sandbox);
    expect(await codes(here(), away())).toEqual({ ...all(3, 3), drill: 0, restore: 0 });
  });

  it("the first of two ends a drill with 1, and a restore takes the other and names the first", async () => {
    await makeBackup(sandbox);
    expect(await codes(away(), here())).toEqual({ ...all(3, 3), drill: 1, restore: 0 });
    sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy");
    const { stdout } = await sandbox.run("restore", "--to", "env:TARGET_URL", "--dry-run");
    expect(stdout).toContain("not read, and may have a newer one: ");
  });

  it("all of two end like the only one", async () => {
    expect(await codes(away(1), away(2))).toEqual(all(1, 4));
  });

  it("a copy from it ends with 1, and so does one of all backups to it", async () => {
    await makeBackup(sandbox);
    sandbox.job.destinations = [here(), away()];
    expect((await sandbox.run("copy", "--all", "--from", "1", "--to", "0")).code).toBe(1);
    expect((await sandbox.run("copy", "--from", "0", "--to", "1")).code).toBe(1);
    expect((await sandbox.run("copy", "--all", "--from", "0", "--to", "1")).code).toBe(1);
  });
});

describe("a bucket that does not exist is a wrong configuration:", { timeout: 180_000 }, () => {
  it("it ends everything with 2, always", async () => {
    expect(await codes(missing())).toEqual(all(2, 2));
    for (let run = 0; run < 4; run += 1) expect((await sandbox.run("backup")).code).toBe(2);
  });

  it("beside a store that cannot be reached it does not, whichever comes first", async () => {
    const expected = { ...all(1, 4), drill: 2 };
    expect(await codes(missing(), away())).toEqual(expected);
    expect(await codes(away(), missing())).toEqual({ ...expected, drill: 1 });
  });

  it("beside a store that has the backup it is a destination that failed", async () => {
    await makeBackup(sandbox);
    expect(await codes(here(), missing())).toEqual({ ...all(3, 3), drill: 0, restore: 0 });
  });
});
