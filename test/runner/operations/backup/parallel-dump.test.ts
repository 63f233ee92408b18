import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Restored } from "../../../../runner/operations/restore.ts";
import { compareDatabases } from "../../../../tools/compare-databases.ts";
import { type Postgres, startPostgres } from "../../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../../tools/sample-database.ts";
import { emptyDatabase } from "../../../helpers/databases.ts";
import { listed, makeBackup, printed } from "../../../helpers/reports.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("sample"), { megabytes: 3 });
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(postgres.url("sample"));
  sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" }, jobs: 2 };
});
afterEach(() => {
  sandbox.remove();
});

describe("a job that dumps with several workers", () => {
  it("is backed up, verified, drilled and restored, and leaves nothing in the scratch space", async () => {
    const { id, objects } = await makeBackup(sandbox);
    expect(objects.map(({ artifact, format }) => [artifact, format])).toEqual([
      ["database.dir.tar", "pg_dump-directory"],
      ["roles.sql", "roles-sql"],
    ]);
    expect(await listed(sandbox)).toMatchObject([{ id, state: "verified" }]);
    expect(await sandbox.run("verify")).toMatchObject({ code: 0 });

    sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy");
    const run = await sandbox.run("restore", "--to", "env:TARGET_URL", "--jobs", "2", "--json");
    expect((printed(run) as Restored).database).toBe("copy");
    const { differences, tables } = await compareDatabases(postgres.url("sample"), postgres.url("copy"));
    expect(differences).toEqual([]);
    expect(tables.length).toBeGreaterThan(20);

    sandbox.job.drill = { target: { env: "APP_URL" }, acceptSharedUser: true };
    expect(await sandbox.run("drill")).toMatchObject({ code: 0 });
    expect(readdirSync(sandbox.environment.TMPDIR ?? "")).toEqual([]);
  });

  it("fails without a partial backup where its scratch folder is missing, before anything is uploaded", async () => {
    sandbox.job.database = { kind: "postgres", url: { env: "APP_URL" }, jobs: 2, scratch: "/nonexistent" };
    const { code, stderr } = await sandbox.run("backup");
    expect([code, stderr]).toEqual([2, expect.stringContaining("No scratch folder can be made in /nonexistent")]);
    const folder = join(sandbox.store, "test", "app");
    expect(existsSync(folder) ? readdirSync(folder, { recursive: true }) : []).toEqual([]);
  });

  it("may not be of a Supabase project, whose pooler has few connections", async () => {
    sandbox.job.database = { kind: "supabase", url: { env: "APP_URL" }, jobs: 2 };
    const { code, stderr } = await sandbox.run("backup");
    expect([code, stderr]).toEqual([2, expect.stringContaining("jobs")]);
  });
});
