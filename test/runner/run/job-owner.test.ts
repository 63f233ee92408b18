import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { emptyDatabase, sql } from "../../helpers/databases.ts";
import { foldersOf, listed, makeBackup } from "../../helpers/reports.ts";
import { Sandbox } from "../../helpers/sandbox.ts";

const owner = { id: "a".repeat(32), name: "shop/dev" };
const stranger = { id: "b".repeat(32), name: "crm/dev" };

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "shop");
  await sql(postgres, "shop", "CREATE TABLE t AS SELECT 1 AS a");
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(postgres.url("shop"), { retention: { last: 1 } });
});
afterEach(() => {
  sandbox.remove();
});

it("neither adds to a folder that is another stack's nor prunes there, and names both", async () => {
  sandbox.job.owner = owner;
  const { id } = await makeBackup(sandbox);
  sandbox.job.owner = stranger;
  for (const command of ["backup", "prune"]) {
    const { code, stderr } = await sandbox.run(command);
    expect([command, code]).toEqual([command, 2]);
    expect(stderr).toContain(
      `The folder test/app in filesystem ${sandbox.store} is that of the stack "shop/dev" (${owner.id})`,
    );
    expect(stderr).toContain(`"crm/dev" (${stranger.id})`);
  }
  expect(foldersOf(sandbox)).toEqual([id, "owners"]);
});

it("is taken over where a person says so, and is the other's no more", async () => {
  sandbox.job.owner = owner;
  await makeBackup(sandbox);
  sandbox.job.owner = stranger;
  await makeBackup(sandbox, "--adopt");
  await makeBackup(sandbox);
  sandbox.job.owner = owner;
  expect((await sandbox.run("backup")).code).toBe(2);
});

it("is taken over with the backups of a version that named no owner", async () => {
  const { id } = await makeBackup(sandbox, "--no-prune");
  expect(foldersOf(sandbox)).toEqual([id]);
  sandbox.job.owner = owner;
  const { id: second } = await makeBackup(sandbox, "--no-prune");
  expect((await listed(sandbox)).map(({ id: each }) => each)).toEqual([id, second]);
  // The stack's name may change, and is told then; its id does not.
  sandbox.job.owner = { ...owner, name: "shop/prod" };
  await makeBackup(sandbox);
  expect(readdirSync(join(sandbox.store, "test/app/owners"))).toHaveLength(2);
});

it("is nobody's for a job that no stack has written", async () => {
  await makeBackup(sandbox);
  await makeBackup(sandbox);
  expect(existsSync(join(sandbox.store, "test/app/owners"))).toBe(false);
});
