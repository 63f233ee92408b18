import { readFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, beforeAll, expect, it } from "vitest";
import { query } from "../../tools/query.ts";
import { makeBackup } from "../helpers/reports.ts";
import { Sandbox, type Ended } from "../helpers/sandbox.ts";
import { filesIn } from "../helpers/store.ts";
import { startSupabase, type SupabaseServer } from "../../tools/services/supabase-database.ts";

/** Stands in rows, and in the setting of a role. */
const MARKER = "DE89370400440532013000";

const overTls = (url: string): string => url.replace("@127.0.0.1:", "@localhost:");
const identity = await generateX25519Identity();
let server: SupabaseServer;
let sandbox: Sandbox;
beforeAll(async () => {
  server = await startSupabase({ tls: true });
  const full = overTls(await server.fullProject("full"));
  await query(
    server.postgres.url("full"),
    `CREATE FUNCTION public.f(v text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN true; END $$;
     CREATE TABLE public.accounts (iban text CONSTRAINT sound CHECK (public.f(iban))); INSERT INTO public.accounts VALUES ('x'), ('${MARKER}');
     ALTER FUNCTION public.f OWNER TO postgres; ALTER TABLE public.accounts OWNER TO postgres`,
  );
  sandbox = new Sandbox(full, {
    database: { kind: "supabase", url: { env: "APP_URL" }, rootCertificate: server.postgres.rootCertificate ?? "" },
    encryption: { recipients: [await identityToRecipient(identity)], identity: { env: "IDENTITY" } },
  });
  sandbox.environment.IDENTITY = identity;
});
afterAll(async () => {
  sandbox.remove();
  await server.postgres.stop();
});

function expectNoRowLeft({ stdout, stderr }: Ended): void {
  expect(stdout).not.toContain("DE89");
  expect(stderr).not.toContain("DE89");
  for (const file of filesIn(sandbox.path)) {
    expect(readFileSync(join(sandbox.path, file), "latin1").includes("DE89"), file).toBe(false);
  }
}

it.each([
  [
    "a check that fails",
    "CREATE OR REPLACE FUNCTION public.f(v text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT length(v) < 5'",
    /violates check constraint "sound" \(SQLSTATE 23514.*schema public, table accounts, constraint sound, line 2 of the rows of accounts/,
  ],
  [
    "a function's own words, in an error and in a warning",
    `CREATE OR REPLACE FUNCTION public.f(v text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
       $$ BEGIN RAISE WARNING 'look at %', v; RAISE EXCEPTION E'no %\\nTABLE NAME:  %', v, v USING TABLE = v, DETAIL = v; END $$`,
    /in the step "rows, then indexes.*the server's message is withheld.*SQLSTATE P0001, raised by a function/,
  ],
])("a row of a project stays in the backup where a restore fails over %s", async (what, change, told) => {
  await query(server.postgres.url("full"), change);
  await makeBackup(sandbox);
  const name = `target_${what.length}`;
  await server.newProject(name);
  sandbox.environment.TARGET_URL = overTls(server.urlAs("postgres", name));
  const reference = `localhost:${server.postgres.port}/${name}`;
  const restore = await sandbox.run(
    "restore",
    "--to",
    "env:TARGET_URL",
    "--confirm",
    reference,
    "--log-level",
    "debug",
  );
  expectNoRowLeft(restore);
  expect([restore.code, restore.stderr]).toEqual([1, expect.stringMatching(told)]);
  expect(restore.stderr).toMatch(/^Fix: /m);
});

it("a row of a project stays in the backup where a restore only warns, and a role's setting in roles.sql", async () => {
  await query(
    server.postgres.url("full"),
    `CREATE OR REPLACE FUNCTION public.f(v text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
       $$ BEGIN RAISE WARNING 'look at %', v; RETURN true; END $$; CREATE ROLE tuned; ALTER ROLE tuned SET session_preload_libraries = '${MARKER}';
     GRANT EXECUTE ON FUNCTION public.f TO tuned`,
  );
  await makeBackup(sandbox);
  await query(server.postgres.url("full"), "DROP OWNED BY tuned; DROP ROLE tuned");
  await server.newProject("quiet");
  sandbox.environment.TARGET_URL = overTls(server.urlAs("postgres", "quiet"));
  const reference = `localhost:${server.postgres.port}/quiet`;
  const args = ["restore", "--to", "env:TARGET_URL", "--confirm", reference, "--create-roles"];
  const restore = await sandbox.run(...args, "--log-level", "debug");
  expectNoRowLeft(restore);
  expect([restore.code, restore.stderr]).toEqual([0, ""]);
  expect(restore.stdout).toMatch(/warning: The server warned: .*withheld.*SQLSTATE 01000, warning\), 2 times/);
  expect(restore.stdout).toMatch(/ALTER ROLE tuned SET session_preload_libraries: permission denied to set parameter/);
});
