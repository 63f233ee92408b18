import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RestoreOptions } from "../../../../providers/database/database.ts";
import { query } from "../../../../tools/query.ts";
import { startSupabase, type SupabaseServer } from "../../../../tools/services/supabase-database.ts";
import { failureOf } from "../../../helpers/failure.ts";
import { openProject, restoreInto } from "../../../helpers/supabase-project.ts";
import { store, type StoredBackup } from "../../../helpers/stored-backup.ts";

const never = new AbortController().signal;

let server: SupabaseServer;
let scratch: string;
beforeAll(async () => {
  server = await startSupabase({ tls: true });
  scratch = await mkdtemp(join(tmpdir(), "provision-scratch-"));
});
afterAll(async () => {
  await server.postgres.stop();
  await rm(scratch, { recursive: true });
});

const open = (name: string) => openProject(server, server.urlAs("postgres", name));
const backUp = async (name: string): Promise<StoredBackup> =>
  store(await (await open(name)).backup({ lock: name, signal: never }));
const options = (backup: StoredBackup, name: string, changes: Partial<RestoreOptions> = {}) =>
  restoreInto(server, name, backup, scratch, changes);

describe("objects on a table of the platform that postgres does not own", () => {
  let backup: StoredBackup;
  beforeAll(async () => {
    const url = await server.newProject("with_policies");
    await query(
      url,
      `CREATE TABLE public.notes (id int PRIMARY KEY);
       INSERT INTO public.notes VALUES (1), (2);
       CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
       CREATE TRIGGER on_user AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.note();
       CREATE POLICY "Avatars" ON storage.objects FOR SELECT USING (bucket_id = 'avatars');
       COMMENT ON POLICY "Avatars" ON storage.objects IS 'Everybody''s'`,
    );
    await query(
      server.postgres.url("with_policies"),
      `CREATE POLICY "Own; factors" ON auth.mfa_factors USING (auth.uid() = user_id);
       COMMENT ON POLICY "Own; factors" ON auth.mfa_factors IS 'A remark';
       CREATE TRIGGER paused AFTER INSERT ON auth.mfa_factors FOR EACH ROW EXECUTE FUNCTION public.note('k3y-of-a-hook');
       ALTER TABLE auth.mfa_factors DISABLE TRIGGER paused;
       CREATE TRIGGER works AFTER INSERT ON auth.mfa_factors FOR EACH ROW EXECUTE FUNCTION public.note()`,
    );
    backup = await backUp("with_policies");
  });

  it("are listed with what its owner must run, and all else is restored", async () => {
    const url = await server.newProject("lenient");
    const report = await (await open("lenient")).restore(backup.artifacts, options(backup, "lenient"));
    const why = "the table's owner must run it";
    expect(report.refused).toEqual([
      'CREATE POLICY "Own; factors" ON auth.mfa_factors AS PERMISSIVE FOR ALL TO PUBLIC USING ((auth.uid() = user_id)) ' +
        `(${why}): must be owner of table mfa_factors`,
      "CREATE TRIGGER paused AFTER INSERT ON auth.mfa_factors FOR EACH ROW EXECUTE FUNCTION public.note('…'); " +
        "ALTER TABLE auth.mfa_factors DISABLE TRIGGER paused " +
        `(${why}, whose values platform-objects.sql of the backup has): must be owner of table mfa_factors`,
      `COMMENT ON POLICY "Own; factors" ON auth.mfa_factors IS '…' ` +
        `(${why}, whose values platform-objects.sql of the backup has): policy "Own; factors" for table "mfa_factors" does not exist`,
    ]);
    expect(report.differences).toEqual([]);
    expect(await query(url, "SELECT count(*)::int AS notes FROM public.notes")).toEqual([{ notes: 2 }]);
    expect(
      await query(
        url,
        `SELECT tgrelid::regclass::text AS table, tgname AS name FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = tgfoid
         WHERE proname = 'note' ORDER BY 2`,
      ),
    ).toEqual([
      { table: "auth.users", name: "on_user" },
      { table: "auth.mfa_factors", name: "works" },
    ]);
    expect(await query(url, "SELECT polname, obj_description(oid, 'pg_policy') AS comment FROM pg_policy")).toEqual([
      { polname: "Avatars", comment: "Everybody's" },
    ]);
  });

  it("leave a table more open where they are restrictive policies, which is a difference from the backup", async () => {
    await server.newProject("with_restriction");
    await query(
      server.postgres.url("with_restriction"),
      `CREATE POLICY "AS PERMISSIVE ""it is"" not" ON auth.mfa_factors AS RESTRICTIVE FOR SELECT USING (factor_type <> 'phone');
       CREATE POLICY "ON a.b AS RESTRICTIVE " ON auth.mfa_factors FOR SELECT USING (true)`,
    );
    const own = await backUp("with_restriction");
    await server.newProject("more_open");
    const restore = async (artifacts: StoredBackup["artifacts"]) =>
      (await open("more_open")).restore(artifacts, options(own, "more_open", { allowNonEmpty: true }));
    const { differences, refused = [] } = await restore(own.artifacts);
    const moreOpen = [
      expect.stringMatching(
        /^A table is more open than it was: its restrictive policy auth\.mfa_factors "AS PERMISSIVE ""it is"" not" is missing/,
      ) as string,
    ];
    expect(differences).toEqual(moreOpen);
    expect(refused).toContainEqual(
      expect.stringMatching(/^CREATE POLICY "AS PERM.* AS RESTRICTIVE FOR SELECT .*\(the table's owner must run it/),
    );
    // A backup that cannot be compared says so, too.
    const withoutInventory = own.artifacts.filter(({ format }) => format !== "inventory");
    expect((await restore(withoutInventory)).differences).toEqual(moreOpen);
  });

  it("end a strict restore, which says how to continue without them", async () => {
    const url = await server.newProject("strict");
    const restoring = (await open("strict")).restore(backup.artifacts, options(backup, "strict", { strict: true }));
    const error = await failureOf(restoring);
    expect(error.code).toBe("AUTH");
    expect(error.message).toMatch(/policies and triggers on tables of the platform.*SQLSTATE 42501/);
    expect(error.fix).toMatch(/Connect as the object's owner.*Without --strict/);
    expect(error.fix).not.toContain("pg_read_all_data");
    expect(await query(url, "SELECT to_regclass('public.notes') AS notes")).toEqual([{ notes: null }]);
  });
});

it("refuses a target whose platform lacks columns of the backup, before anything is restored, and says what to do", async () => {
  await server.newProject("with_column");
  await query(
    server.postgres.url("with_column"),
    `ALTER TABLE auth.users ADD COLUMN "Tenant, id" numeric(10, 2) DEFAULT 7, ADD COLUMN plan text DEFAULT 's3cr3t' NOT NULL;
     INSERT INTO auth.users (id, "Tenant, id", plan) VALUES (gen_random_uuid(), 42, 'pro')`,
  );
  const backup = await backUp("with_column");
  expect(backup.omitted).toEqual([
    {
      artifact: "columns of yours on the platform's tables",
      reason: expect.stringMatching(/ auth\.users\."Tenant, id", auth\.users\.plan\. .*add them there first/) as string,
    },
  ]);
  const url = await server.newProject("lacks");
  const provider = await open("lacks");
  for (const dryRun of [true, false]) {
    const error = await failureOf(provider.restore(backup.artifacts, options(backup, "lacks", { dryRun })));
    expect(error.code).toBe("CONFLICT");
    expect(error.message).toContain('auth.users."Tenant, id", auth.users.plan. Nothing was restored');
    expect(error.fix).toContain('ALTER TABLE auth.users ADD COLUMN "Tenant, id" numeric(10,2) DEFAULT 7;');
    expect(error.fix).toContain("ADD COLUMN plan text DEFAULT '…'::text NOT NULL. Then");
  }
  await query(
    server.postgres.url("lacks"),
    `ALTER TABLE auth.users ADD COLUMN "Tenant, id" numeric(10, 2) DEFAULT 7, ADD COLUMN plan text DEFAULT 'x' NOT NULL`,
  );
  expect((await provider.restore(backup.artifacts, options(backup, "lacks"))).differences).toEqual([]);
  expect(await query(url, 'SELECT "Tenant, id"::int AS tenant, plan FROM auth.users')).toEqual([
    { tenant: 42, plan: "pro" },
  ]);
});

it("names each index, constraint and comment of one's own on the platform's tables in the backup", async () => {
  await server.newProject("changed");
  await query(
    server.postgres.url("changed"),
    `CREATE INDEX users_by_name ON auth.users ((raw_user_meta_data ->> 'username'));
     ALTER TABLE storage.objects ADD CONSTRAINT "short names" CHECK (length(name) < 200);
     COMMENT ON TABLE storage.objects IS 'Ours'; COMMENT ON COLUMN auth.users.email IS 'Private'`,
  );
  const { omitted } = await backUp("changed");
  expect(
    omitted.map(({ artifact, reason }) => [artifact, reason.replace(/^Supabase's own migrations do not make /, "")]),
  ).toEqual([
    ["indexes of yours on the platform's tables", expect.stringMatching(/^auth\.users\.users_by_name\. No part/)],
    [
      "constraints of yours on the platform's tables",
      expect.stringMatching(/^storage\.objects\."short names"\. No part/),
    ],
    [
      "comments of yours on the platform's tables",
      expect.stringMatching(/^auth\.users\.email, storage\.objects\. No part/),
    ],
  ]);
});

it("takes functions of the platform that belong to postgres for the platform's, and names the calls of webhooks", async () => {
  await server.newProject("self_hosted");
  await query(
    server.postgres.url("self_hosted"),
    `ALTER FUNCTION extensions.grant_pg_cron_access() OWNER TO postgres;
     SET ROLE postgres;
     GRANT EXECUTE ON FUNCTION extensions.grant_pg_cron_access() TO dashboard_user;
     RESET ROLE;
     GRANT SELECT ON supabase_functions.hooks TO postgres;
     INSERT INTO supabase_functions.hooks (hook_table_id, hook_name) VALUES (1, 'a hook'), (2, 'a hook')`,
  );
  const backup = await backUp("self_hosted");
  expect(backup.omitted).toEqual([
    { artifact: "supabase_functions.hooks", reason: expect.stringContaining("(2 calls)") as string },
  ]);
  expect(backup.text("grants.sql")).not.toContain("grant_pg_cron_access");
});
