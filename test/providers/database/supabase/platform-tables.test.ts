import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RestoreOptions } from "../../../../providers/database/database.ts";
import { compareDatabases } from "../../../../tools/compare-databases.ts";
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
    const url = await server.newProject("with_policies", { revoked: false });
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
    const url = await server.newProject("lenient", { revoked: false });
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
    expect(error.message).toMatch(
      /policies and triggers on tables of the platform.*the server refused CREATE POLICY "Own; factors" ON auth\.mfa_factors .*must be owner of table mfa_factors/,
    );
    expect(error.fix).toMatch(/Connect as the object's owner.*Without --strict/);
    expect(error.fix).not.toContain("pg_read_all_data");
    expect(await query(url, "SELECT to_regclass('public.notes') AS notes")).toEqual([{ notes: null }]);
  });
});

/** Whatever people add to a table of the platform but columns. */
const ON_TABLES = `
  CREATE INDEX users_by_name ON auth.users ((raw_user_meta_data ->> 'username'));
  CREATE INDEX "Own; index" ON auth.sessions (public.first_of(tag)) WHERE tag IS NOT NULL;
  ALTER TABLE storage.objects ADD CONSTRAINT "short names" CHECK (length(name) < 200) NOT VALID;
  ALTER TABLE storage.buckets ADD CONSTRAINT buckets_team FOREIGN KEY (owner) REFERENCES public.teams ON DELETE SET NULL;
  ALTER TABLE auth.identities REPLICA IDENTITY FULL, SET (fillfactor = 70, autovacuum_enabled = false);
  ALTER TABLE auth.identities ALTER COLUMN provider SET STATISTICS 500, ALTER COLUMN provider SET (n_distinct = 5);
  ALTER TABLE storage.objects DISABLE TRIGGER update_objects_updated_at;
  COMMENT ON TABLE storage.objects IS 'Ours; "all"'; COMMENT ON COLUMN auth.users.email IS 'It''s private';
  COMMENT ON INDEX auth.users_by_name IS 'For the search'; COMMENT ON CONSTRAINT "short names" ON storage.objects IS 'As the app';`;
const SHOWN_ON_TABLES = [
  'constraint: storage.buckets.buckets_team, storage.objects."short names"',
  'index: auth.sessions."Own; index", auth.users.users_by_name',
  "setting: autovacuum_enabled of auth.identities, fillfactor of auth.identities, n_distinct of provider of auth.identities, " +
    "replica identity of auth.identities, statistics of provider of auth.identities, trigger update_objects_updated_at of storage.objects",
  'comment: auth.users.email, auth.users.users_by_name, storage.objects, storage.objects."short names"',
];
const OWN_THINGS = `
  CREATE TYPE public.rank AS ENUM ('low', 'high');
  CREATE TABLE public.teams (id uuid PRIMARY KEY);
  CREATE FUNCTION public.first_of(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT left($1, 1)';`;

/** As somebody who owns the tables made them before the revokes of 2025, or on a self-hosted server. */
async function changedProject(name: string, changes: string): Promise<void> {
  await server.newProject(name, { revoked: false });
  await query(server.postgres.url(name), `SET ROLE postgres; ${OWN_THINGS} RESET ROLE; ${changes}`);
}

describe("what people added to the platform's tables", () => {
  const columns = `
    ALTER TABLE auth.users ADD COLUMN "Tenant, id" int NOT NULL DEFAULT 7 UNIQUE, ADD COLUMN number serial,
      ADD COLUMN rank public.rank DEFAULT 'high', ADD COLUMN initial text COLLATE "C" GENERATED ALWAYS AS (public.first_of(email)) STORED;
    CREATE UNIQUE INDEX users_by_tenant ON auth.users ("Tenant, id", rank);
    CREATE TABLE public.tenants (id int REFERENCES auth.users ("Tenant, id"));
    CREATE VIEW public.tenant_ids AS SELECT "Tenant, id" AS id FROM auth.users;
    INSERT INTO auth.users (id, email, "Tenant, id", rank) VALUES (gen_random_uuid(), 'a@example.com', 42, 'low');`;
  let backup: StoredBackup;
  beforeAll(async () => {
    await changedProject("with_all", columns + ON_TABLES);
    backup = await backUp("with_all");
  });

  it("is named by the backup, one by one", () => {
    const covers = (name: string) => backup.covers.get(name)?.slice(1, -1);
    expect(covers("platform-tables.sql")).toEqual(SHOWN_ON_TABLES);
    expect(covers("platform-columns.sql")).toEqual([
      'column: auth.users."Tenant, id", auth.users.number, auth.users.rank, auth.users.initial',
      'constraint: auth.users."users_Tenant, id_key"',
      "index: auth.users.users_by_tenant",
    ]);
    expect(backup.omitted).toEqual([]);
  });

  it("is restored where postgres owns the tables", async () => {
    const url = await server.newProject("owned", { revoked: false });
    const report = await (await open("owned")).restore(backup.artifacts, options(backup, "owned", { strict: true }));
    expect(report).toMatchObject({ refused: [], differences: [] });
    const { differences } = await compareDatabases(server.postgres.url("with_all"), server.postgres.url("owned"));
    expect(
      differences.filter((each) => !/the content of storage\.migrations|from_the|supabase_admin/.test(each)),
    ).toEqual([]);
    expect(await query(url, 'SELECT "Tenant, id" AS tenant, rank, number, initial FROM auth.users')).toEqual([
      { tenant: 42, rank: "low", number: 1, initial: "a" },
    ]);
  });

  it("is listed with what the owner must run where postgres does not own them, unless it is strict", async () => {
    await changedProject("without_columns", ON_TABLES);
    const indexes = await backUp("without_columns");
    await server.newProject("revoked");
    const provider = await open("revoked");
    const strict = await failureOf(provider.restore(indexes.artifacts, options(indexes, "revoked", { strict: true })));
    expect(strict).toMatchObject({ code: "AUTH" });
    expect(strict.message).toContain("indexes, constraints, settings and comments of yours");
    const { refused = [], differences } = await provider.restore(indexes.artifacts, options(indexes, "revoked"));
    expect(differences).toEqual([]);
    // The same statements, but for what stands in strings.
    const owners = refused.map((line) => line.replace(/ \(the table's owner must run it.*/, ""));
    expect(owners).toHaveLength(14);
    expect(owners).toContain(
      'CREATE INDEX "Own; index" ON auth.sessions USING btree (public.first_of(tag)) WHERE (tag IS NOT NULL)',
    );
    expect(owners).toContain("COMMENT ON COLUMN auth.users.email IS '…'");
    await query(server.postgres.url("revoked"), indexes.text("platform-tables.sql").replaceAll(/^--.*$/gm, ""));
    const compared = await compareDatabases(server.postgres.url("without_columns"), server.postgres.url("revoked"));
    expect(
      compared.differences.filter((each) =>
        /^(index|constraint|relation) (auth|storage)(?!\.(schema_)?migrations )/.test(each),
      ),
    ).toEqual([]);
  });

  it("is distinguished from what people dropped there", async () => {
    await server.newProject("dropped");
    await query(server.postgres.url("dropped"), "DROP INDEX storage.name_prefix_search");
    expect((await backUp("dropped")).omitted).toEqual([
      {
        artifact: "what is dropped from the platform's tables",
        reason: expect.stringContaining("the index storage.objects.name_prefix_search, which") as string,
      },
    ]);
  });
});

describe("what the platform made", () => {
  it("is named where people changed it, or took privileges from it", async () => {
    await server.newProject("changed_inside");
    await query(
      server.postgres.url("changed_inside"),
      `ALTER TABLE auth.users ALTER role SET DEFAULT 'member', ALTER aud TYPE text;
       ALTER TABLE storage.objects DROP CONSTRAINT "objects_bucketId_fkey",
         ADD CONSTRAINT "objects_bucketId_fkey" FOREIGN KEY (bucket_id) REFERENCES storage.buckets ON DELETE CASCADE;
       ALTER FUNCTION auth.uid() SECURITY DEFINER; ALTER TYPE auth.factor_type ADD VALUE 'key';
       DROP TRIGGER protect_buckets_delete ON storage.buckets; ALTER TABLE auth.audit_log_entries DISABLE ROW LEVEL SECURITY;
       REVOKE SELECT ON storage.objects FROM anon; REVOKE EXECUTE ON FUNCTION auth.email() FROM PUBLIC; REVOKE USAGE ON SCHEMA storage FROM anon;
       COMMENT ON TABLE auth.users IS 'Ours'`,
    );
    const backup = await backUp("changed_inside");
    expect(backup.omitted).toEqual([
      {
        artifact: "changes of the platform's own definitions",
        reason: expect.stringMatching(
          /^the type auth\.factor_type, the function auth\.uid\(\), the column auth\.users\.aud, the column auth\.users\.role, the constraint storage\.objects\."objects_bucketId_fkey" differ from all versions .*supabase\/auth .*supabase\/storage/,
        ) as string,
      },
      {
        artifact: "what is dropped from the platform's tables",
        reason: expect.stringMatching(
          /make the trigger storage\.buckets\.protect_buckets_delete, the setting auth\.audit_log_entries\.row level security, the privilege EXECUTE of PUBLIC on auth\.email\(\), the privilege SELECT of anon on storage\.objects, which/,
        ) as string,
      },
      {
        artifact: "the platform's schemas",
        reason: expect.stringContaining("no privilege USAGE of anon on schema storage") as string,
      },
    ]);
    expect(backup.covers.get("platform-tables.sql")).toContain("comment: auth.users");
  });
});

describe("a target of another version of the platform", () => {
  it("is refused before anything is restored where it lacks columns that postgres may not add, with what to do", async () => {
    await changedProject(
      "with_column",
      `ALTER TABLE auth.mfa_factors ADD COLUMN "Tenant, id" numeric(10, 2) DEFAULT 7, ADD COLUMN plan text DEFAULT 's3cr3t' NOT NULL;
       INSERT INTO auth.users (id) VALUES ('00000000-0000-0000-0000-000000000001');
       INSERT INTO auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at, "Tenant, id", plan)
       VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'totp', 'verified', now(), now(), 42, 'pro')`,
    );
    const backup = await backUp("with_column");
    const url = await server.newProject("lacks", { revoked: false });
    const table = server.postgres.url("lacks");
    await query(table, "ALTER TABLE storage.objects DROP COLUMN is_versioned");
    const provider = await open("lacks");
    for (const dryRun of [true, false]) {
      const error = await failureOf(provider.restore(backup.artifacts, options(backup, "lacks", { dryRun })));
      expect(error.code).toBe("CONFLICT");
      expect(error.message).toContain(
        'auth.mfa_factors."Tenant, id", auth.mfa_factors.plan, storage.objects.is_versioned. Nothing was restored',
      );
      expect(error.fix).toContain('ALTER TABLE auth.mfa_factors ADD COLUMN "Tenant, id" numeric(10,2) DEFAULT 7;');
      expect(error.fix).toContain("ADD COLUMN plan text DEFAULT '…'::text NOT NULL;");
    }
    await query(
      table,
      `ALTER TABLE auth.mfa_factors ADD COLUMN "Tenant, id" numeric(10, 2) DEFAULT 7, ADD COLUMN plan text DEFAULT 'x' NOT NULL;
       ALTER TABLE storage.objects ADD COLUMN is_versioned boolean NOT NULL DEFAULT false`,
    );
    expect((await provider.restore(backup.artifacts, options(backup, "lacks"))).differences).toEqual([]);
    expect(await query(url, 'SELECT "Tenant, id"::int AS tenant, plan FROM auth.mfa_factors')).toEqual([
      { tenant: 42, plan: "pro" },
    ]);
  });

  it("gets the rows without columns and tables that newer migrations have removed, and a list of them", async () => {
    // As supabase/storage 0026-objects-prefixes made them in 2025.
    await changedProject(
      "older",
      `ALTER TABLE storage.objects ADD COLUMN level int;
       CREATE TABLE storage.prefixes (bucket_id text CONSTRAINT "prefixes_bucketId_fkey" REFERENCES storage.buckets, name text NOT NULL, level int,
         created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(), PRIMARY KEY (bucket_id, level, name));
       GRANT ALL ON storage.prefixes TO postgres;
       CREATE FUNCTION storage.objects_insert_prefix_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
       CREATE TRIGGER objects_insert_create_prefix BEFORE INSERT ON storage.objects FOR EACH ROW
         EXECUTE FUNCTION storage.objects_insert_prefix_trigger();
       INSERT INTO storage.buckets (id, name) VALUES ('b', 'b');
       INSERT INTO storage.objects (bucket_id, name, level, metadata) VALUES ('b', E'tab\t and \\ "quote"', 1, '{"a": 1}'), ('b', 'COPY x (y) FROM stdin;', 1, NULL);
       INSERT INTO storage.prefixes VALUES ('b', 'p', 1)`,
    );
    const backup = await backUp("older");
    expect(backup.omitted).toEqual([
      {
        artifact: "changes of the platform's own definitions",
        reason: expect.stringMatching(/^the function storage\.objects_insert_prefix_trigger\(\), .* differ/) as string,
      },
    ]);
    const url = await server.newProject("newer");
    const { differences, leftOut, refused } = await (
      await open("newer")
    ).restore(backup.artifacts, options(backup, "newer"));
    expect({ differences, refused }).toEqual({ differences: [], refused: [] });
    expect(leftOut).toContain("tables that the target's newer Auth or Storage has removed: storage.prefixes");
    expect(leftOut).toContain("columns that the target's newer Auth or Storage has removed: storage.objects.level");
    const rows =
      "SELECT id, name, metadata, created_at, last_accessed_at, path_tokens FROM storage.objects ORDER BY name";
    expect(await query(url, rows)).toEqual(await query(server.urlAs("postgres", "older"), rows));
  });
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
