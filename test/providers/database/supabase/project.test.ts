import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mkdtemp, rm } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RestoreArtifact, RestoreOptions, RestoreReport } from "../../../../providers/database/database.ts";
import { ProviderError } from "../../../../providers/errors.ts";
import { compareDatabases } from "../../../../tools/compare-databases.ts";
import { failingStream, streamOf } from "../../../helpers/bytes.ts";
import { failureOf } from "../../../helpers/failure.ts";
import { contentOf } from "../../../helpers/postgres.ts";
import { query } from "../../../../tools/query.ts";
import { store, type StoredBackup } from "../../../helpers/stored-backup.ts";
import { openProject, restoreInto } from "../../../helpers/supabase-project.ts";
import { startSupabase, type SupabaseServer } from "../../../../tools/services/supabase-database.ts";

const never = new AbortController().signal;

/** What no restore can make equal, and what a plain server without supautils refuses. */
const expectedDifferences = [
  /^relation public\.from_the_dashboard differs: .*supabase_admin \| d/,
  /^type public\.from_the_dashboard(\[\])? differs: . \| supabase_admin/,
  /^function public\.note_ddl\(\) differs: supabase_admin/,
  /^event trigger note_ddl is only in the first/,
  /^the content of cron\.job differs: 3 rows.* 3 rows/,
  /^the content of pgmq\.meta differs: 2 rows.* 2 rows/,
  /^the content of storage\.migrations differs: 1 rows.* 1 rows/,
  /^the content of vault\.secrets differs: 2 rows.* 2 rows/,
];

describe("a Supabase project", () => {
  let server: SupabaseServer;
  let scratch: string;
  let full: string;
  let backup: StoredBackup;
  beforeAll(async () => {
    server = await startSupabase({ tls: true });
    scratch = await mkdtemp(join(tmpdir(), "provision-scratch-"));
    full = await server.fullProject("full");
    backup = await store(await (await open(full, "export")).backup({ lock: "test", signal: never }));
  });
  afterAll(async () => {
    await server.postgres.stop();
    await rm(scratch, { recursive: true });
  });

  const open = (url: string, vault: "export" | "leave-out" = "leave-out") => openProject(server, url, { vault });
  const options = (name: string, changes: Partial<RestoreOptions> = {}) =>
    restoreInto(server, name, backup, scratch, changes);
  let projects = 0;
  const newProject = async (): Promise<{ name: string; url: string }> => {
    projects += 1;
    const name = `new_${projects}`;
    return { name, url: await server.newProject(name) };
  };
  /** The backup with one artifact in the place of its own. */
  const withArtifact = (name: string, open: RestoreArtifact["open"]): RestoreArtifact[] =>
    backup.artifacts.map((artifact) => (artifact.name === name ? { ...artifact, open } : artifact));
  const withText = (name: string, change: (text: string) => string): RestoreArtifact[] =>
    withArtifact(name, () => streamOf(Buffer.from(change(backup.text(name)))));
  const holdsNothing = async (name: string): Promise<boolean> => {
    const found = await query(
      server.postgres.url(name),
      `SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace UNION ALL SELECT FROM auth.users
       UNION ALL SELECT FROM pg_namespace WHERE nspname IN ('shop', 'pgmq') UNION ALL SELECT FROM pg_extension WHERE extname = 'pg_cron'`,
    );
    return found.length === 0;
  };

  describe("restored into a new one", () => {
    let name: string;
    let url: string;
    let report: RestoreReport;
    beforeAll(async () => {
      ({ name, url } = await newProject());
      report = await (await open(url)).restore(backup.artifacts, options(name));
    });

    it("is equal by the catalogue and by every table's rows, but for a list of exceptions", async () => {
      const { differences, tables } = await compareDatabases(server.postgres.url("full"), server.postgres.url(name));
      for (const difference of differences) {
        expect(
          expectedDifferences.some((expected) => expected.test(difference)),
          difference,
        ).toBe(true);
      }
      // Every exception is a real one.
      expect(differences.length).toBeGreaterThanOrEqual(expectedDifferences.length);
      for (const table of [
        "auth.users",
        "storage.objects",
        "shop.orders",
        "pgmq.q_mails",
        "supabase_migrations.schema_migrations",
      ]) {
        expect(tables.find((each) => each.name === table)?.rows, table).toBeGreaterThan(0);
      }
    });

    it("lets its users log in with their passwords, and makes a profile for new ones", async () => {
      const [row] = await query(
        url,
        `SELECT count(*)::int AS all, count(*) FILTER (WHERE encrypted_password =
           extensions.crypt(split_part(email, '@', 1) || '-password', encrypted_password))::int AS "canLogIn" FROM auth.users`,
      );
      expect(row).toEqual({ all: 40, canLogIn: 36 });
      await query(
        url,
        `INSERT INTO auth.users (id, raw_user_meta_data) VALUES (gen_random_uuid(), '{"username": "fresh"}')`,
      );
      expect(await query(url, "SELECT username FROM public.profiles WHERE username = 'fresh'")).toHaveLength(1);
      await query(url, "DELETE FROM auth.users WHERE raw_user_meta_data ->> 'username' = 'fresh'");
    });

    it("opens to nobody what was closed, now and for what will be made", async () => {
      const [row] = await query(
        url,
        `SELECT has_table_privilege('anon', 'public.secrets_of_ours', 'SELECT') AS "closed table",
           has_function_privilege('anon', 'public.admin_only()', 'EXECUTE') AS "closed function",
           has_table_privilege('anon', 'public.profiles', 'SELECT') AS "open table"`,
      );
      expect(row).toEqual({ "closed table": false, "closed function": false, "open table": true });
      await query(url, "CREATE TABLE public.later ()");
      expect(await query(url, "SELECT has_table_privilege('anon', 'public.later', 'SELECT') AS open")).toEqual([
        { open: false },
      ]);
      await query(url, "DROP TABLE public.later");
    });

    it("has its jobs, queues and exported secrets", async () => {
      const jobs = "SELECT jobname, schedule, command, active FROM cron.job ORDER BY jobid";
      expect(await query(url, jobs)).toEqual(await query(full, jobs));
      await query(url, "SELECT pgmq.send('mails', '{}')");
      expect(await query(url, "SELECT max(msg_id)::int AS last FROM pgmq.q_mails")).toEqual([{ last: 41 }]);
      const secrets =
        "SELECT name, description, decrypted_secret FROM vault.decrypted_secrets ORDER BY created_at, name";
      expect(await query(url, secrets)).toEqual(await query(full, secrets));
    });

    it("is reported: what was done, left out, refused and compared", () => {
      expect(report.differences).toEqual([]);
      expect(report.refused).toEqual([expect.stringMatching(/^EVENT TRIGGER note_ddl: permission denied/)]);
      expect(report.compared).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/^tables: \d+ with \d{4} rows$/),
          "policy: 7 of 7 the same",
          "trigger: 4 of 4 the same",
          "users: 40, and the 36 who have a password log in with it as before",
        ]),
      );
      const leftOut = report.leftOut?.join("\n");
      for (const what of [
        "definitions in auth and storage",
        "2 belong to postgres now",
        "passwords of roles",
        "auth.schema_migrations",
        "files in Storage",
        "JWT secret",
      ]) {
        expect(leftOut).toContain(what);
      }
    });

    it("leaves nothing behind on the way", async () => {
      expect(await readdir(scratch)).toEqual([]);
      expect(await query(url, "SELECT current_setting('session_replication_role') AS role")).toEqual([
        { role: "origin" },
      ]);
      expect(
        await query(url, "SELECT rolname FROM pg_roles WHERE rolname = 'supabase_admin' AND NOT rolsuper"),
      ).toEqual([]);
    });

    it("is not restored into again", async () => {
      const error = await failureOf((await open(url)).restore(backup.artifacts, options(name)));
      expect(error.code).toBe("CONFLICT");
      expect(error.message).toContain("not new");
    });
  });

  it("is restored by a superuser with the event triggers too, and belongs to postgres all the same", async () => {
    const { name } = await newProject();
    const report = await (await open(server.postgres.url(name))).restore(backup.artifacts, options(name));
    expect(report).toMatchObject({ refused: [], differences: [] });
    expect(report.compared).toContain("event trigger: 1 of 1 the same");
    const owner = "SELECT relowner::regrole::text AS owner FROM pg_class WHERE oid = 'public.profiles'::regclass";
    expect(await query(server.postgres.url(name), owner)).toEqual([{ owner: "postgres" }]);
  });

  it("is restored on another server, where its roles are created", async () => {
    const other = await startSupabase({ tls: true });
    try {
      const url = await other.newProject("there");
      const target = await openProject(other, url);
      const there = options("there", { confirm: `localhost:${other.postgres.port}/there` });
      // Without owners and privileges it needs none of the roles, and what else there is, is the same.
      const bare = await openProject(other, await other.newProject("bare"));
      const defaults =
        "SELECT defaclnamespace::regnamespace::text, defaclobjtype, defaclacl::text FROM pg_default_acl ORDER BY 1, 2, 3";
      const before = await query(other.postgres.url("bare"), defaults);
      const withoutOwners = await bare.restore(backup.artifacts, {
        ...there,
        confirm: `localhost:${other.postgres.port}/bare`,
        noOwner: true,
      });
      expect(withoutOwners.differences).toEqual([]);
      expect(withoutOwners.compared?.join("\n")).toMatch(/^column: /m);
      expect(withoutOwners.compared?.join("\n")).not.toMatch(/owner|access list|privilege/);
      expect(await query(other.postgres.url("bare"), defaults)).toEqual(before);
      const error = await failureOf(target.restore(backup.artifacts, there));
      expect(error.message).toContain("app_owner, reporting");
      const report = await target.restore(backup.artifacts, { ...there, createRoles: true });
      expect(report).toMatchObject({ rolesCreated: ["app_owner", "reporting"], differences: [] });
      const settings = "SELECT rolconfig FROM pg_roles WHERE rolname = 'reporting'";
      expect(await query(url, settings)).toEqual([{ rolconfig: ["statement_timeout=60s"] }]);

      // An owner of which postgres is no member: it becomes one for as long as the restore takes.
      await query(other.postgres.url("there"), "REVOKE app_owner FROM postgres");
      const again = await openProject(other, await other.newProject("again"));
      const confirm = `localhost:${other.postgres.port}/again`;
      expect((await again.restore(backup.artifacts, { ...there, confirm })).differences).toEqual([]);
      expect(
        await query(
          other.postgres.url("again"),
          `SELECT relowner::regrole::text AS owner, has_table_privilege('reporting', oid, 'SELECT') AS open,
             pg_has_role('postgres', 'app_owner', 'MEMBER') AS member FROM pg_class WHERE oid = 'shop.owned'::regclass`,
        ),
      ).toEqual([{ owner: "app_owner", open: true, member: false }]);
    } finally {
      await other.postgres.stop();
    }
  });

  it("asks for the target's reference, shows a plan, and changes nothing until then", async () => {
    const { name, url } = await newProject();
    const provider = await open(url);
    for (const confirm of [undefined, "something-else"]) {
      const error = await failureOf(provider.restore(backup.artifacts, options(name, { confirm })));
      expect(error.code).toBe("CONFIG");
      expect(error.fix).toContain(`--confirm localhost:${server.postgres.port}/${name}`);
    }
    const plan = await provider.restore(backup.artifacts, options(name, { confirm: undefined, dryRun: true }));
    expect(plan.steps?.join("\n")).toMatch(
      /extensions: 7\n[^]*definitions[^]*rows[^]*policies and triggers[^]*default privileges/,
    );
    expect(plan.steps?.at(-1)).toContain("errors that do not end it");
    expect(plan.leftOut).toContainEqual(expect.stringContaining("JWT secret"));
    expect((await failureOf(provider.restore(backup.artifacts, options(name, { jobs: 2 })))).code).toBe("CONFIG");
    expect(await holdsNothing(name)).toBe(true);
  });

  it("is restored completely or not at all, whatever fails on the way", async () => {
    const { name, url } = await newProject();
    const provider = await open(url);
    const dump = await contentOf(backup.artifacts.map((each) => ({ ...each, required: true, covers: [] }))[0], never);
    const damaged = new ProviderError("INTEGRITY", "The bytes are not those that were written.");
    const attempts: [string, RestoreArtifact[], string?][] = [
      [
        "a dump that fails at its end",
        withArtifact("database.dump", () => failingStream(dump.subarray(0, -1), damaged)),
      ],
      ["a dump that is cut off", withArtifact("database.dump", () => streamOf(dump.subarray(0, dump.length / 2)))],
      [
        "an error that is on no list",
        withText("platform-objects.sql", (text) =>
          text.replace("CREATE TRIGGER on_auth", "CREATE TRIGGER x ON nowhere; CREATE TRIGGER on_auth"),
        ),
        "policies and triggers on tables of the platform",
      ],
      ["queues that are cut off", withText("queues.sql", (text) => text.slice(0, 1500)), "queues and their messages"],
      [
        "a policy that cannot be",
        withText("platform-objects.sql", (text) => text.replace("realtime.topic()", "realtime.no_such()")),
        "policies and triggers on tables of the platform",
      ],
      [
        "the last step",
        withText("default-privileges.sql", (text) => text.replace("TO reporting", "TO nobody_at_all")),
        "default privileges, as the backup has them",
      ],
    ];
    for (const [what, artifacts, step = ""] of attempts) {
      const error = await failureOf(provider.restore(artifacts, options(name)));
      expect(error.message, what).toContain(step === "" ? "" : `Nothing was restored; in the step "${step}`);
      expect(error.message, what).not.toContain("provision-step");
      expect(error.message, what).not.toContain("s3cr3t");
      expect(await holdsNothing(name), what).toBe(true);
    }
    expect(await readdir(scratch)).toEqual([]);
    expect((await provider.restore(backup.artifacts, options(name))).differences).toEqual([]);
  });

  it("is distinguished from its backup where it is not the same", async () => {
    const { name, url } = await newProject();
    const artifacts = withText("inventory.json", (text) =>
      text.replace('"shop.orders":3000', '"shop.orders":3001').replace('"passwords":"', '"passwords":"x'),
    );
    const { differences } = await (await open(url)).restore(artifacts, options(name));
    expect(differences).toEqual([
      "The table shop.orders has 3000 rows instead of 3001.",
      expect.stringContaining("users or their passwords"),
    ]);
  });

  it("is compared by its rows and users where its backup is older than the fingerprints of today", async () => {
    const { name, url } = await newProject();
    const artifacts = withText("inventory.json", (text) => {
      const { rows, users } = JSON.parse(text) as Record<string, object>;
      return JSON.stringify({ format: 1, objects: { table: { "shop.orders": "r | false" } }, rows, users });
    });
    const { differences, compared } = await (await open(url)).restore(artifacts, options(name));
    expect(differences).toEqual([]);
    expect(compared).toEqual([
      expect.stringMatching(/^tables: \d+ with/),
      expect.stringMatching(/^definitions: none/),
      expect.stringMatching(/^users: 40/),
    ]);
  });

  it("is compared in every definition and in every sequence's value", async () => {
    const url = await server.fullProject("other_definitions");
    const source = await store(await (await open(url)).backup({ lock: "definitions", signal: never }));
    await query(
      server.postgres.url("other_definitions"),
      `CREATE OR REPLACE VIEW shop.totals AS SELECT buyer, sum(total) + 1 AS total FROM shop.orders GROUP BY buyer;
       ALTER VIEW shop.totals SET (security_invoker = false);
       ALTER TYPE public.plan ADD VALUE 'team';
       ALTER TABLE public.profiles ALTER COLUMN plan SET DEFAULT 'pro', ALTER COLUMN username DROP NOT NULL;
       ALTER TABLE shop.orders DROP CONSTRAINT orders_total_check;
       DROP INDEX public.profiles_username_words;
       CREATE OR REPLACE FUNCTION shop.total_of(who uuid) RETURNS numeric LANGUAGE sql VOLATILE AS 'SELECT 1.0';
       ALTER SEQUENCE shop.events_id_seq INCREMENT 5;
       SELECT nextval(pg_get_serial_sequence('shop.orders', 'id'));
       ALTER TABLE shop.owned OWNER TO reporting;
       GRANT INSERT ON shop.orders TO anon`,
    );
    const changed = await store(await (await open(url)).backup({ lock: "definitions", signal: never }));
    const { name, url: target } = await newProject();
    const artifacts = source.artifacts.map((artifact) =>
      artifact.format === "inventory"
        ? { ...artifact, open: () => streamOf(Buffer.from(changed.text("inventory.json"))) }
        : artifact,
    );
    const { differences, compared } = await (await open(target)).restore(artifacts, options(name));
    expect(differences?.toSorted()).toEqual(
      [
        "The access list of the table shop.orders is not the same.",
        "The access list of the table shop.owned is not the same.",
        "The column public.profiles.plan is not the same.",
        "The column public.profiles.username is not the same.",
        "The constraint shop.orders orders_total_check is not in the backup.",
        "The function or procedure shop.total_of(uuid) is not the same.",
        "The index public.profiles profiles_username_words is not in the backup.",
        "The owner of the table shop.owned is not the same.",
        "The sequence shop.events_id_seq is not the same.",
        "The sequence shop.orders_id_seq is at 3000 instead of 3001.",
        "The table shop.totals is not the same.",
        "The type public.plan is not the same.",
        "The view shop.totals is not the same.",
      ].sort(),
    );
    const line = compared?.find((each) => each.startsWith("values of sequences: ")) ?? "";
    const [, same, all] = /: (\d) of (\d) the same$/.exec(line) ?? [];
    expect(Number(all)).toBe(Number(same) + 1);
  });

  it("lets the server have another version of an extension or none, and says so", async () => {
    const { name, url } = await newProject();
    const artifacts = withText("extensions.sql", (text) =>
      text
        .replace("VERSION '1.6'", "VERSION '99'")
        .replace(
          "-- Provision: end",
          "CREATE EXTENSION IF NOT EXISTS given_up VERSION '1' CASCADE;\n-- Provision: end",
        ),
    );
    const { refused } = await (await open(url)).restore(artifacts, options(name));
    expect(refused).toContainEqual(expect.stringMatching(/^the version of the extension pg_trgm: .*99/));
    expect(refused).toContainEqual(expect.stringMatching(/^the extension given_up: .*is not available/));
  });

  it("has all that was refused in its report, however much that is", async () => {
    const { name, url } = await newProject();
    const grants = Array.from(
      { length: 1100 },
      (_, i) => `GRANT SELECT ON TABLE storage.a_table_of_another_version_${i} TO service_role;\n`,
    );
    const end = "-- Provision: end";
    const changes: Record<string, (text: string) => string> = {
      "extensions.sql": (text) =>
        text.replace(end, `CREATE EXTENSION IF NOT EXISTS given_up VERSION '1' CASCADE;\n${end}`),
      "grants.sql": (text) => text.replace(end, grants.join("") + end),
      "publications.sql": (text) => text.replace(end, `DO 'BEGIN RAISE WARNING ''something odd''; END';\n${end}`),
      "inventory.json": (text) => text.replace('"extension":{', '"extension":{"given_up":"1 in extensions",'),
    };
    const artifacts = backup.artifacts.map((artifact) => {
      const text = changes[artifact.name]?.(backup.text(artifact.name));
      return text === undefined ? artifact : { ...artifact, open: () => streamOf(Buffer.from(text)) };
    });
    const { refused = [], differences, warnings } = await (await open(url)).restore(artifacts, options(name));
    // What was refused first and what was refused last are both known to the comparison.
    expect(differences).toEqual([]);
    expect(refused[0]).toMatch(/^the extension given_up/);
    expect(refused.filter((each) => each.includes("a_table_of_another_version_"))).toHaveLength(999);
    expect(refused.at(-1)).toBe("… and 102 more");
    expect(warnings).toEqual([expect.stringMatching(/^The server warned: .* withheld.* \(SQLSTATE 01000, warning\)$/)]);
  });

  it("says in the backup what cannot be recovered", async () => {
    const { omitted, artifacts } = await store(await (await open(full)).backup({ lock: "vault", signal: never }));
    expect(omitted).toEqual([
      {
        artifact: "vault.sql",
        reason: expect.stringMatching(/2 secrets that cannot be recovered.*vault: export/) as string,
      },
    ]);
    expect(artifacts.map(({ name }) => name)).not.toContain("vault.sql");
    await query(full, "CREATE FUNCTION extensions.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    const again = await store(await (await open(full, "export")).backup({ lock: "vault", signal: never }));
    await query(full, "DROP FUNCTION extensions.mine()");
    await query(
      server.postgres.url("full"),
      "CREATE TABLE auth.closed (); REVOKE ALL ON auth.closed FROM postgres; ALTER TABLE auth.closed OWNER TO supabase_admin",
    );
    const closed = await store(await (await open(full, "export")).backup({ lock: "vault", signal: never }));
    await query(server.postgres.url("full"), "DROP TABLE auth.closed");
    expect(closed.omitted).toEqual([
      { artifact: "tables of the platform", reason: "The role may not read auth.closed." },
    ]);
    expect(again.omitted).toEqual([
      { artifact: "objects in the platform's schemas", reason: expect.stringContaining("extensions.mine()") as string },
    ]);
  });

  it("has nothing of the platform's own state in its backup, and no password", () => {
    for (const { name } of backup.artifacts) {
      expect(backup.text(name), name).not.toContain("20240806073726");
      expect(backup.text(name), name).not.toContain(server.postgres.password);
    }
    expect(backup.facts.tables.map(({ schema, name }) => `${schema}.${name}`)).not.toContain("auth.schema_migrations");
  });

  it("is backed up without what its job leaves out, and is compared without it too", async () => {
    const { name, url } = await newProject();
    const provider = await openProject(server, full, {
      exclude: ["supabase_migrations", "shop.events*"],
      excludeData: ["auth.audit_log_entries"],
    });
    const part = await store(await provider.backup({ lock: "part", signal: never }));
    const report = await (await open(url)).restore(part.artifacts, options(name));
    expect(report.differences).toEqual([]);
    expect(await query(url, "SELECT FROM auth.audit_log_entries")).toEqual([]);
    expect(
      await query(url, "SELECT to_regclass('shop.events') AS events, to_regclass('shop.orders') AS orders"),
    ).toEqual([{ events: null, orders: "shop.orders" }]);
  });

  it("is backed up without a schema of its own, of which nothing is left in any part", async () => {
    const { name, url } = await newProject();
    const select = (selection: Parameters<typeof openProject>[2]) => openProject(server, full, selection);
    const part = await store(await (await select({ exclude: ["shop"] })).backup({ lock: "part", signal: never }));
    for (const each of ["owners.sql", "publications.sql", "default-privileges.sql"]) {
      expect(part.text(each), each).not.toContain("shop");
    }
    const report = await (await open(url)).restore(part.artifacts, options(name));
    expect(report.differences).toEqual([]);
    // The trigger on auth.users stays, and so must its function; what the platform has is needed and there anyway.
    const error = await failureOf(
      (await select({ include: ["shop", "auth"] })).backup({ lock: "part", signal: never }),
    );
    expect(error.message).toContain(
      "trigger on_auth_user_created on auth.users needs function public.handle_new_user()",
    );
    expect(error.message).not.toContain("extensions");
  });

  it("needs no more than three connections at a time, to back up and to restore", async () => {
    const { name, url } = await newProject();
    await query(server.postgres.url("full"), "ALTER ROLE postgres CONNECTION LIMIT 3");
    try {
      const again = await store(await (await open(full)).backup({ lock: "few", signal: never }));
      await (await open(url)).restore(again.artifacts, options(name));
    } finally {
      await query(server.postgres.url("full"), "ALTER ROLE postgres CONNECTION LIMIT -1");
    }
  });

  it("is backed up and compared whatever its statement timeout", async () => {
    const slow = await server.fullProject("slow");
    const { name, url } = await newProject();
    for (const database of ["slow", name]) {
      await query(server.postgres.url(database), `ALTER DATABASE ${database} SET statement_timeout = '2s'`);
    }
    // More than what is on the way may hold while nobody reads.
    await query(
      slow,
      "SET statement_timeout = 0; SELECT pgmq.send('mails', to_jsonb(repeat('x', 1000000))) FROM generate_series(1, 20)",
    );
    const opened = await (await open(slow)).backup({ lock: "slow", signal: never });
    const [queues] = opened.artifacts.filter((each) => each.name === "queues.sql");
    const bytes = queues?.open(never);
    await delay(3000);
    expect(bytes === undefined ? 0 : (await buffer(bytes)).length).toBeGreaterThan(20_000_000);
    await opened.close();

    const locker = new Client({ connectionString: server.postgres.url(name) });
    await locker.connect();
    const restored = (await open(url)).restore(backup.artifacts, options(name));
    // It waits behind the restore's transaction, and then keeps the comparison waiting.
    await expect
      .poll(
        () =>
          query(
            server.postgres.url(name),
            "SELECT FROM pg_locks WHERE relation = 'auth.users'::regclass AND mode = 'RowExclusiveLock'",
          ),
        { timeout: 60_000, interval: 20 },
      )
      .not.toEqual([]);
    await locker.query("SET statement_timeout = 0; BEGIN; LOCK TABLE auth.users IN ACCESS EXCLUSIVE MODE");
    await delay(3000);
    await locker.query("COMMIT");
    await locker.end();
    expect((await restored).differences).toEqual([]);
  });

  it("is refused to a role that row level security would silence", async () => {
    await query(
      server.postgres.url("full"),
      `CREATE ROLE silenced LOGIN PASSWORD '${server.postgres.password}' IN ROLE pg_read_all_data`,
    );
    const provider = await open(server.urlAs("silenced", "full"));
    const error = await failureOf(provider.backup({ lock: "silenced", signal: never }));
    expect(error.code).toBe("AUTH");
    expect(error.message).toMatch(/hide rows from the role silenced in auth\.\w+/);
    expect(error.fix).toContain("BYPASSRLS");
  });
});
