import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { flipBit } from "../helpers/damage.ts";
import { emptyDatabase, relationCount, sql } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { backupFolder, makeBackup, printed } from "../helpers/reports.ts";
import { runScript } from "../helpers/script.ts";
import { Sandbox } from "../helpers/sandbox.ts";

/*
 * Who attacks: whoever had a role on the source's server, a superuser's above all, or writes to the store. What they do: they have a
 * restore with --create-roles fail, which has made their role on the target's server before it looked at the archive.
 * What must hold: roles are made after all of the backup is proven, only those that the database needs, and a restore that fails or is
 * interrupted leaves none of them, or says which and how to drop them.
 */

let source: Postgres;
let target: Postgres;
let sandbox: Sandbox;
let before: string[];
beforeAll(async () => {
  [source, target] = await Promise.all([startPostgres(), startPostgres()]);
  await sql(
    source,
    "postgres",
    `CREATE ROLE app_owner CREATEROLE; CREATE ROLE chief SUPERUSER LOGIN; CREATE ROLE reader; CREATE ROLE stranger SUPERUSER LOGIN;
     CREATE ROLE copier REPLICATION; GRANT reader TO app_owner; GRANT stranger TO reader; GRANT pg_monitor TO reader`,
  );
  await emptyDatabase(source, "shop");
  await sql(
    source,
    "shop",
    `CREATE TABLE goods AS SELECT n FROM generate_series(1, 1000) n; ALTER TABLE goods OWNER TO app_owner;
     GRANT SELECT ON goods TO reader; CREATE TABLE safe (n int); ALTER TABLE safe OWNER TO chief`,
  );
});
afterAll(() => Promise.all([source.stop(), target.stop()]));
beforeEach(async () => {
  sandbox = new Sandbox(source.url("shop"));
  sandbox.environment.TARGET_URL = await emptyDatabase(target, "target");
  before = await roles();
});
afterEach(async () => {
  sandbox.remove();
  await emptyDatabase(target, "target");
  const left = await roles();
  const mine = left.filter((role) => !before.includes(role)).map((role) => `"${role}"`);
  if (mine.length > 0) await sql(target, "postgres", `DROP OWNED BY ${mine.join(", ")}; DROP ROLE ${mine.join(", ")}`);
});

const RESTORE = ["restore", "--to", "env:TARGET_URL", "--create-roles"];

async function roles(): Promise<string[]> {
  const rows = await sql<{ name: string }>(target, "postgres", "SELECT rolname AS name FROM pg_roles ORDER BY 1");
  return rows.map(({ name }) => name);
}

/** Puts something into the source until the test has ended. */
async function during(make: string, work: () => Promise<void>, unmake: string): Promise<void> {
  await sql(source, "shop", make);
  try {
    await work();
  } finally {
    await sql(source, "shop", unmake);
  }
}

it("makes the roles that the database needs, and says which it does not make and which are mighty", async () => {
  await makeBackup(sandbox);
  const plan = await sandbox.run(...RESTORE, "--dry-run");
  expect(plan.stdout).toContain("create the roles app_owner, chief, reader, without passwords");
  expect(plan.stdout).toContain("The role chief is created with SUPERUSER.");
  expect(plan.stdout).toContain("The role app_owner is created with CREATEROLE.");
  expect(plan.stdout).toContain("this database needs none of them: copier, stranger; roles.sql has them");
  expect(await roles()).toEqual(before);
  const report = printed(await sandbox.run(...RESTORE, "--json"));
  expect(report).toMatchObject({ rolesCreated: ["app_owner", "chief", "reader"] });
  expect(await roles()).toEqual([...before, "app_owner", "chief", "reader"].sort());
  const memberships = await sql<{ is: string }>(
    target,
    "target",
    "SELECT roleid::regrole || ' ' || member::regrole AS is FROM pg_auth_members WHERE member::regrole::text IN ('app_owner', 'reader') ORDER BY 1",
  );
  expect(memberships.map(({ is }) => is)).toEqual(["pg_monitor reader", "reader app_owner"]);
});

it("leaves no role where one bit of the archive is another", async () => {
  const { id } = await makeBackup(sandbox);
  flipBit(join(backupFolder(sandbox, id), "database.dump.zst"));
  expect((await sandbox.run(...RESTORE)).code).toBe(5);
  expect(await roles()).toEqual(before);
  expect(await relationCount(target, "target")).toBe(0);
});

it("leaves no role where the target's server refuses something", async () => {
  const folder = join(sandbox.path, "space");
  mkdirSync(folder);
  runScript(`chmod 755 ${sandbox.path} && chown $(stat -c %u:%g ${join(source.directory, "data")}) ${folder}`);
  // A tablespace that the other server lacks.
  await sql(source, "shop", `CREATE TABLESPACE elsewhere LOCATION '${folder}'`);
  await during(
    "CREATE TABLE far (n int) TABLESPACE elsewhere",
    async () => {
      await makeBackup(sandbox);
      const { code, stderr } = await sandbox.run(...RESTORE);
      expect([code, stderr]).toEqual([2, expect.stringContaining("elsewhere")]);
      expect(await roles()).toEqual(before);
      expect(await relationCount(target, "target")).toBe(0);
    },
    "DROP TABLE far",
  );
  await sql(source, "shop", "DROP TABLESPACE elsewhere");
});

/** Something that fails at the target, and not at the source. */
const REFUSE = `CREATE FUNCTION public.refuse(int) RETURNS boolean LANGUAGE plpgsql AS
  $$BEGIN IF current_database() <> 'shop' THEN RAISE 'no'; END IF; RETURN true; END$$;
  CREATE TABLE late (n int CHECK (public.refuse(n))); INSERT INTO late VALUES (1)`;
const ALLOW = "DROP TABLE late; DROP FUNCTION public.refuse";

it("names the roles that it cannot drop again, with the statement", async () => {
  await during(
    `${REFUSE}; GRANT SET ON PARAMETER log_min_messages TO reader`,
    async () => {
      await makeBackup(sandbox);
      const { code, stderr } = await sandbox.run(...RESTORE);
      expect(code).toBe(1);
      expect(stderr).toContain("Roles that the restore created and could not drop again: reader.");
      expect(stderr).toContain('DROP ROLE "reader";');
      expect(await roles()).toEqual([...before, "reader"].sort());
    },
    `REVOKE SET ON PARAMETER log_min_messages FROM reader; ${ALLOW}`,
  );
});

it("names those that own what a parallel restore has left", async () => {
  await during(
    REFUSE,
    async () => {
      await makeBackup(sandbox);
      const { code, stderr } = await sandbox.run(...RESTORE, "--jobs", "2");
      expect(code).toBe(1);
      const left = (await roles()).filter((role) => !before.includes(role));
      const named = /could not drop again: (.*)\.\n/.exec(stderr)?.[1] ?? "none";
      expect(named.split(", ").sort()).toEqual(left);
      expect(left).toContain("app_owner");
      const [, incomplete = ""] = /is in the database (\S+);/.exec(stderr) ?? [];
      await sql(target, "postgres", `DROP DATABASE "${incomplete}"`);
    },
    ALLOW,
  );
});

it("leaves no role where it is interrupted", async () => {
  await during(
    REFUSE.replace("RAISE 'no'", "PERFORM pg_sleep(600)"),
    async () => {
      await makeBackup(sandbox);
      const running = sandbox.start(...RESTORE);
      await eventually(async () => {
        const waiting = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        expect(await sql(target, "postgres", waiting)).toHaveLength(1);
      });
      expect(await roles()).toContain("chief");
      running.child.kill("SIGTERM");
      const { code, stderr } = await running.ended;
      expect(code, stderr).toBe(143);
      expect(await roles()).toEqual(before);
      expect(await relationCount(target, "target")).toBe(0);
    },
    ALLOW,
  );
});
