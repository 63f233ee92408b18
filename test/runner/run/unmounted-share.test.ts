import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Check } from "../../../providers/database/database.ts";
import type { BackupReport } from "../../../runner/operations/backup/report.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { emptyDatabase, sql } from "../../helpers/databases.ts";
import { listed, makeBackup, printed } from "../../helpers/reports.ts";
import { Sandbox } from "../../helpers/sandbox.ts";

let postgres: Postgres;
let sandbox: Sandbox;
let first: string;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "shop");
  await sql(postgres, "shop", "CREATE TABLE t AS SELECT 1 AS a");
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  sandbox = new Sandbox(postgres.url("shop"));
  ({ id: first } = await makeBackup(sandbox));
});
afterEach(() => {
  sandbox.remove();
});

const MARK = ".provision-store";
const away = () => `${sandbox.store}-away`;
/** Leaves what is left of a mount point when its share is not mounted: an empty folder. */
function unmount(): void {
  renameSync(sandbox.store, away());
  mkdirSync(sandbox.store);
}
function mount(): void {
  rmSync(sandbox.store, { recursive: true });
  renameSync(away(), sandbox.store);
}

describe("a folder whose share is not mounted", () => {
  it("ends every command with 2 and what to do, and gets nothing written", async () => {
    unmount();
    for (const command of [["backup"], ["list"], ["prune"], ["verify"], ["restore", "latest", "--to", "env:APP_URL"]]) {
      const { code, stderr } = await sandbox.run(...command);
      expect([command, code]).toEqual([command, 2]);
      expect(stderr).toContain(`filesystem ${sandbox.store} lacks the file ${MARK}`);
      expect(stderr).toContain("Fix: Mount it");
    }
    const checks = printed(await sandbox.run("doctor", "--json"), 2) as Check[];
    expect(checks.filter(({ ok }) => !ok)).toMatchObject([
      { detail: expect.stringContaining("its share is not mounted") as string },
    ]);
    expect(readdirSync(sandbox.store)).toEqual([]);
    mount();
    expect((await listed(sandbox)).map(({ id }) => id)).toEqual([first]);
    printed(await sandbox.run("backup", "--json"));
    expect(await listed(sandbox)).toHaveLength(2);
  });

  it("is not made where even its mount point is missing", async () => {
    renameSync(sandbox.store, away());
    expect((await sandbox.run("backup")).code).toBe(2);
    expect(existsSync(sandbox.store)).toBe(false);
  });

  it("is noticed by another job of the machine, before that job's first backup", async () => {
    unmount();
    sandbox.job.name = "web";
    expect((await sandbox.run("backup")).code).toBe(2);
    expect(readdirSync(sandbox.store)).toEqual([]);
  });

  it("does not keep the job from its other destination", async () => {
    const second = join(sandbox.path, "second");
    sandbox.job.destinations = [
      { kind: "filesystem", path: sandbox.store },
      { kind: "filesystem", path: second },
    ];
    unmount();
    const { destinations } = printed(await sandbox.run("backup", "--json"), 3) as BackupReport;
    expect(destinations.map(({ stored }) => stored)).toEqual([false, true]);
    expect(readdirSync(second).sort()).toEqual([MARK, "test"]);
  });

  it("is taken for a new folder where a person says so", async () => {
    unmount();
    const { stderr } = await sandbox.run("backup");
    const [, record = ""] = /remove (\S+) on this machine/.exec(stderr) ?? [];
    rmSync(record);
    printed(await sandbox.run("backup", "--json"));
    expect(readdirSync(sandbox.store).sort()).toEqual([MARK, "test"]);
    expect(await listed(sandbox)).toHaveLength(1);
  });
});

describe("a folder with backups of a version that left no mark", () => {
  beforeEach(() => {
    rmSync(join(sandbox.store, MARK));
    rmSync(join(sandbox.path, ".provision"), { recursive: true });
  });

  it("is read as before, and gets its mark with the next backup", async () => {
    expect((await listed(sandbox)).map(({ id }) => id)).toEqual([first]);
    expect(readdirSync(sandbox.store)).toEqual(["test"]);
    printed(await sandbox.run("backup", "--json"));
    expect(await listed(sandbox)).toHaveLength(2);
    unmount();
    expect((await sandbox.run("list")).code).toBe(2);
  });
});
