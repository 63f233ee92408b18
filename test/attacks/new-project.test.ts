import { globSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ensurePostgresWheel } from "../../tools/install/postgres-wheels.ts";
import { startPostgres } from "../../tools/postgres.ts";
import { query } from "../../tools/query.ts";
import { startSupabase, type SupabaseServer } from "../../tools/services/supabase-database.ts";
import { SupabaseStorageService } from "../../tools/services/supabase-storage.ts";
import { makeBackup, printed } from "../helpers/reports.ts";
import { Sandbox, type Ended } from "../helpers/sandbox.ts";

/*
 * The night on which an owner restores a project into a new one, of a platform that is not quite the same: what can be restored
 * is restored, what cannot is said before anything is changed, and each fix that is printed works.
 */

let server: SupabaseServer;
beforeAll(async () => {
  server = await startSupabase({ tls: true });
});
afterAll(() => server.postgres.stop());

const overTls = (url: string): string => url.replace("@127.0.0.1:", "@localhost:");
const sandboxes: Sandbox[] = [];
afterEach(() => {
  for (const sandbox of sandboxes.splice(0)) sandbox.remove();
});

/** A new project of the owner's with something in it, and a job that backs it up. */
async function ownersProject(name: string, sql: string, changes: Readonly<Record<string, unknown>> = {}) {
  const url = await server.newProject(name, { revoked: false });
  await query(server.postgres.url(name), `SET ROLE postgres; ${sql}`);
  const rootCertificate = server.postgres.rootCertificate ?? "";
  const database = { kind: "supabase", url: { env: "APP_URL" }, rootCertificate };
  const sandbox = new Sandbox(overTls(url), { database, ...changes });
  sandboxes.push(sandbox);
  return sandbox;
}

/** Restores the newest backup into a project of a server, as its owner confirms it. */
async function restoreInto(sandbox: Sandbox, to: SupabaseServer, name: string, ...options: string[]): Promise<Ended> {
  sandbox.job.database = { ...(sandbox.job.database as object), rootCertificate: to.postgres.rootCertificate };
  sandbox.environment.TARGET = overTls(to.urlAs("postgres", name));
  const confirm = `localhost:${to.postgres.port}/${name}`;
  return sandbox.run("restore", "--to", "env:TARGET", "--confirm", confirm, "--json", ...options);
}

/** The tables of a database's own schemas, as the server itself says. */
const tablesOf = (to: SupabaseServer, name: string) =>
  query(
    to.postgres.url(name),
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'",
  );

interface Restored {
  readonly refused: readonly string[];
  readonly leftOut: readonly string[];
  readonly differences: readonly string[];
  readonly compared: readonly string[];
  readonly steps: readonly string[];
}

interface Failed {
  readonly error: { readonly code: string; readonly message: string; readonly fix: string };
}

/** Takes an extension's files from a server, as a platform gives one up. */
function giveUp(from: SupabaseServer, extension: string): void {
  const files = globSync(join(from.postgres.directory, `programs/**/extension/${extension}{.control,--*.sql}`));
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) rmSync(file);
}

describe("the new project's server lacks extensions that the old one had", () => {
  let target: SupabaseServer;
  beforeAll(async () => {
    target = await startSupabase({ tls: true });
    for (const extension of ["citext", "hstore", "pg_trgm"]) giveUp(target, extension);
  });
  afterAll(() => target.postgres.stop());

  it("which nothing needs: all else is restored, and they are listed", async () => {
    const sandbox = await ownersProject(
      "unneeded",
      `CREATE SCHEMA words; CREATE EXTENSION citext WITH SCHEMA words; CREATE EXTENSION hstore WITH SCHEMA public;
       GRANT EXECUTE ON FUNCTION public.hstore(text, text) TO authenticated;
       CREATE EXTENSION pg_trgm WITH SCHEMA extensions; CREATE TABLE public.notes AS SELECT 1 AS id`,
    );
    await makeBackup(sandbox);
    await target.newProject("unneeded");
    const plan = printed(await restoreInto(sandbox, target, "unneeded", "--dry-run")) as Restored;
    expect(plan.steps.join("\n")).toMatch(/extensions, of which the server lacks citext, hstore, pg_trgm: \d/);
    const restored = printed(await restoreInto(sandbox, target, "unneeded")) as Restored;
    expect(restored.differences).toEqual([]);
    for (const name of ["citext", "hstore", "pg_trgm"]) {
      expect(restored.refused.filter((line) => line.startsWith(`the extension ${name}: `))).toHaveLength(1);
    }
    expect(await query(target.postgres.url("unneeded"), "SELECT id FROM public.notes")).toEqual([{ id: 1 }]);
    // Whoever wants it exact is told, and nothing is changed.
    await target.newProject("exact");
    const strict = await restoreInto(sandbox, target, "exact", "--strict");
    expect([strict.code, strict.stdout]).toEqual([2, expect.stringMatching(/the extension \w+: .*is not available/)]);
    expect(await tablesOf(target, "exact")).toEqual([]);
  });

  it("which tables and indexes need: it ends before anything is changed, with the extensions and what needs them", async () => {
    const sandbox = await ownersProject(
      "needed",
      `CREATE EXTENSION hstore WITH SCHEMA extensions; CREATE EXTENSION pg_trgm WITH SCHEMA extensions;
       CREATE TABLE public.facts (id int, all_of extensions.hstore, body text);
       CREATE INDEX facts_words ON public.facts USING gin (body extensions.gin_trgm_ops)`,
    );
    await makeBackup(sandbox);
    await target.newProject("needed");
    for (const option of [["--dry-run"], []]) {
      const { error } = printed(await restoreInto(sandbox, target, "needed", ...option), 2) as Failed;
      expect(error.code).toBe("CONFLICT");
      expect(error.message).toMatch(
        /lacks the extensions hstore, pg_trgm, .*TABLE public facts.*INDEX public facts_words/,
      );
      expect(error.message).toContain("Nothing was restored");
      expect(error.fix).toMatch(/dashboard/);
    }
    expect(await tablesOf(target, "needed")).toEqual([]);
  });

  it("which only code needs that runs on the way: it is rolled back, and the error names the extension", async () => {
    const sandbox = await ownersProject(
      "hidden",
      `CREATE EXTENSION pg_trgm WITH SCHEMA extensions;
       CREATE FUNCTION public.likeness(t text) RETURNS real IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN extensions.similarity(t, ''x''); END';
       CREATE TABLE public.notes AS SELECT 'a row' AS body; CREATE INDEX ON public.notes (public.likeness(body))`,
    );
    await makeBackup(sandbox);
    await target.newProject("hidden");
    const ended = await restoreInto(sandbox, target, "hidden");
    const { error } = JSON.parse(ended.stdout) as Failed;
    expect(ended.code).not.toBe(0);
    expect(error.message).toContain("Nothing was restored");
    expect(error.fix).toContain("The server lacks the extension pg_trgm, which this may need");
    expect(await tablesOf(target, "hidden")).toEqual([]);
  });
});
