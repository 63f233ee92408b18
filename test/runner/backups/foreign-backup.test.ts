import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Check } from "../../../providers/database/database.ts";
import type { BackupReport } from "../../../runner/operations/backup/report.ts";
import type { Verification } from "../../../runner/operations/verify.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { emptyDatabase, sql } from "../../helpers/databases.ts";
import { backupFolder, listed, makeBackup, printed } from "../../helpers/reports.ts";
import { Sandbox } from "../../helpers/sandbox.ts";

let postgres: Postgres;
let sandbox: Sandbox;
/** The only real backup of the job. */
let own: string;
/** The backup of job b that somebody has copied into this job's folder, and its name there, which is the newest of all. */
let others: string;
const planted = "20990101T000000Z-0a0b0c";
beforeAll(async () => {
  postgres = await startPostgres();
  for (const name of ["shop", "b"]) {
    await emptyDatabase(postgres, name);
    await sql(postgres, name, `CREATE TABLE t AS SELECT '${name}' AS name`);
  }
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  sandbox = new Sandbox(postgres.url("b"), { name: "b" });
  ({ id: others } = await makeBackup(sandbox));
  Object.assign(sandbox.environment, { APP_URL: postgres.url("shop") });
  sandbox.job.name = "app";
  ({ id: own } = await makeBackup(sandbox));
  cpSync(join(sandbox.store, "test/b", others), backupFolder(sandbox, planted), { recursive: true });
});
afterEach(() => {
  sandbox.remove();
});

/** The manifest in a folder of the job, without any of this program's own reading. */
const manifestOf = (job: string, id: string) =>
  JSON.parse(readFileSync(join(sandbox.store, "test", job, id, "manifest.json"), "utf8")) as Record<string, unknown>;

async function restoredName(...args: string[]): Promise<unknown> {
  sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "target");
  printed(await sandbox.run("restore", ...args, "--to", "env:TARGET_URL", "--json"));
  const [row] = await sql<{ name: string }>(postgres, "target", "SELECT name FROM t");
  return row?.name;
}

describe("a folder of another job's backup under a newer id", () => {
  it("is listed as what it is", async () => {
    expect((await listed(sandbox)).map(({ id, state }) => [id, state])).toEqual([
      [own, "verified"],
      [planted, "foreign"],
    ]);
    const { stdout } = await sandbox.run("list", "--contents");
    expect(stdout).toContain(`its manifest is that of test/b/${others}`);
    expect(stdout).toContain(`Fix: Remove the folder test/app/${planted}`);
  });

  it("is not restored, neither as latest nor by its id", async () => {
    expect(await restoredName("latest")).toBe("shop");
    sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "target");
    const { code, stderr } = await sandbox.run("restore", planted, "--to", "env:TARGET_URL");
    expect(code).toBe(5);
    expect(stderr).toContain(`test/app/${planted} is no backup of this job`);
    expect(await sql(postgres, "target", "SELECT FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
  });

  it("fails a verification, which records nothing beside it, and is not what latest means", async () => {
    const before = readdirSync(backupFolder(sandbox, planted));
    const all = printed(await sandbox.run("verify", "--all", "--json"), 5) as Verification[];
    expect(all.map(({ id, outcome }) => [id, outcome])).toEqual([
      [own, "verified"],
      [planted, "foreign"],
    ]);
    expect(readdirSync(backupFolder(sandbox, planted))).toEqual(before);
    expect(printed(await sandbox.run("verify", "--json"))).toMatchObject([{ id: own, outcome: "verified" }]);
  });

  it("fails doctor", async () => {
    const checks = printed(await sandbox.run("doctor", "--json"), 2) as Check[];
    expect(checks.filter(({ ok }) => !ok)).toMatchObject([
      { name: expect.stringMatching(/: backups$/) as string, detail: expect.stringContaining(planted) as string },
    ]);
  });

  it("takes no place in the retention, is left alone, and the run tells of it", async () => {
    sandbox.job.retention = { last: 1 };
    const ended = await sandbox.run("backup", "--json");
    const { id, destinations } = printed(ended) as BackupReport;
    expect(destinations).toMatchObject([{ prune: { removed: [own], kept: 1, foreign: [planted] } }]);
    expect(destinations[0]?.warnings).toEqual([expect.stringContaining(`test/app/${planted} is no backup`)]);
    expect(ended.stderr).toContain(`test/app/${planted} is no backup of this job`);
    const { stdout } = await sandbox.run("prune");
    expect(stdout).toContain(`${planted} has the manifest of another backup`);
    expect(readdirSync(join(sandbox.store, "test/app")).sort()).toEqual([id, planted]);
  });

  it("is not copied to another store", async () => {
    const destinations = [{ kind: "filesystem", path: sandbox.store }];
    sandbox.job.destinations = [...destinations, { kind: "filesystem", path: join(sandbox.path, "second") }];
    const results = printed(await sandbox.run("copy", "--all", "--from", "0", "--to", "1", "--json"), 5);
    expect(results).toMatchObject([
      { id: own, status: "copied" },
      { id: planted, status: "failed", error: { code: "INTEGRITY" } },
    ]);
    expect(readdirSync(join(sandbox.path, "second/test/app"))).toEqual([own]);
  });
});

describe("a job that was renamed", () => {
  it.each([
    ["the job", { name: "renamed" }],
    ["the stack", { stack: "prod" }],
  ])("takes its backups along by a copy: %s", async (_what, change) => {
    const former = join(sandbox.path, "former.json");
    writeFileSync(former, JSON.stringify({ ...sandbox.job }));
    Object.assign(sandbox.job, change);
    const { stack, name } = sandbox.job as { stack: string; name: string };
    // In the very store: only the folder's name is another.
    const args = ["copy", own, "--from-job", former, "--json"];
    expect(printed(await sandbox.run(...args))).toMatchObject([{ id: own, status: "copied" }]);
    expect(printed(await sandbox.run(...args))).toMatchObject([{ id: own, status: "present" }]);
    expect((await listed(sandbox)).map(({ id, state }) => [id, state])).toEqual([[own, "verified"]]);
    const { objects } = manifestOf("app", own);
    const copy = join(sandbox.store, stack, name, own);
    expect(JSON.parse(readFileSync(join(copy, "manifest.json"), "utf8"))).toMatchObject({ stack, job: name, objects });
    expect(existsSync(join(backupFolder(sandbox, own), "manifest.json"))).toBe(true);
    expect(await restoredName("latest")).toBe("shop");
  });
});
