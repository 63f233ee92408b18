import { createHash } from "node:crypto";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Check } from "../../../providers/database/database.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { emptyDatabase, sql } from "../../helpers/databases.ts";
import { backupFolder, foldersOf, makeBackup, printed } from "../../helpers/reports.ts";
import { Sandbox } from "../../helpers/sandbox.ts";

let postgres: Postgres;
let other: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  [postgres, other] = await Promise.all([startPostgres(), startPostgres()]);
  for (const [server, name] of [
    [postgres, "shop"],
    [postgres, "b"],
    [other, "shop"],
  ] as const) {
    await emptyDatabase(server, name);
    await sql(server, name, `CREATE TABLE t AS SELECT '${name}' AS name`);
  }
});
afterAll(() => Promise.all([postgres.stop(), other.stop()]));
beforeEach(() => {
  sandbox = new Sandbox(postgres.url("shop"), { retention: { last: 1 } });
});
afterEach(() => {
  sandbox.remove();
});

const use = (server: Postgres, name: string) => {
  sandbox.environment.APP_URL = server.url(name);
};

const identifierOf = async (server: Postgres) =>
  (await sql<{ id: string }>(server, "postgres", "SELECT system_identifier::text AS id FROM pg_control_system()"))[0]
    ?.id ?? "";

/** What a manifest says of its database, read as plain JSON. */
function databaseIn(id: string): { identity?: object; formerly?: object[] } {
  const text = readFileSync(join(backupFolder(sandbox, id), "manifest.json"), "utf8");
  return (JSON.parse(text) as { database: object }).database;
}

/** Makes a manifest one of version 0.1.0, which did not say which database it was of. */
function forgetIdentity(id: string): void {
  const file = join(backupFolder(sandbox, id), "manifest.json");
  const { checksum, ...manifest } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  expect(checksum).toMatch(/^sha256:/);
  delete (manifest.database as Record<string, unknown>).identity;
  const sum = createHash("sha256").update(JSON.stringify(manifest)).digest("hex");
  writeFileSync(file, JSON.stringify({ ...manifest, checksum: `sha256:${sum}` }, null, 2) + "\n");
}

describe("a second job of the same name, stack and store", () => {
  it.each<[string, () => [Postgres, string]]>([
    ["for another database of the server", () => [postgres, "b"]],
    ["for a database of the same name on another server", () => [other, "shop"]],
  ])("%s is refused before it dumps, and prunes nothing", async (_what, second) => {
    const { id } = await makeBackup(sandbox);
    const mine = databaseIn(id).identity;
    expect(mine).toEqual({ systemIdentifier: await identifierOf(postgres), name: "shop" });
    const [server, name] = second();
    use(server, name);
    const { code, stderr } = await sandbox.run("backup");
    expect(code).toBe(2);
    expect(stderr).toContain(`are of the database "shop" of the server ${await identifierOf(postgres)}`);
    expect(stderr).toContain(
      `this job's database is the database "${name}" of the server ${await identifierOf(server)}`,
    );
    expect(stderr).toContain("provision backup --adopt");
    expect(foldersOf(sandbox)).toEqual([id]);
    const checks = printed(await sandbox.run("doctor", "--json"), 2) as Check[];
    expect(checks.filter(({ ok }) => !ok)).toMatchObject([{ name: expect.stringMatching(/: backups$/) as string }]);
    use(postgres, "shop");
    expect((await makeBackup(sandbox)).destinations).toMatchObject([{ prune: { removed: [id] } }]);
  });

  it("that wrote at the same moment loses nothing to the other's prune", async () => {
    const { id } = await makeBackup(sandbox);
    const elsewhere = new Sandbox(postgres.url("b"), { retention: { last: 1 } });
    const { id: second } = await makeBackup(elsewhere);
    cpSync(backupFolder(elsewhere, second), backupFolder(sandbox, second), { recursive: true });
    elsewhere.remove();
    const { code, stderr } = await sandbox.run("prune");
    expect(code).toBe(2);
    expect(stderr).toContain(`${second} is of the database "b" of the server`);
    expect(foldersOf(sandbox)).toEqual([id, second].sort());
  });
});

describe("a database that has moved", () => {
  it("is reported once, which is remembered, and its former backups are pruned as before", async () => {
    const { id: first } = await makeBackup(sandbox);
    use(other, "shop");
    expect((await sandbox.run("backup")).code).toBe(2);
    const { id: second, destinations } = await makeBackup(sandbox, "--adopt");
    expect(destinations).toMatchObject([{ prune: { removed: [first], kept: 1 } }]);
    const [before, now] = await Promise.all([identifierOf(postgres), identifierOf(other)]);
    expect(databaseIn(second)).toMatchObject({
      identity: { systemIdentifier: now, name: "shop" },
      formerly: [{ systemIdentifier: before, name: "shop" }],
    });
    const { id: third } = await makeBackup(sandbox);
    expect(databaseIn(third).formerly).toEqual([{ systemIdentifier: before, name: "shop" }]);
    printed(await sandbox.run("doctor", "--json"));

    // A timer on the old machine that nobody has turned off.
    use(postgres, "shop");
    expect((await sandbox.run("backup")).code).toBe(2);
    expect(foldersOf(sandbox)).toEqual([third]);
  });

  it("also reaches a store that was away at the time", async () => {
    const second = { kind: "filesystem", path: join(sandbox.path, "second") };
    const first = { kind: "filesystem", path: sandbox.store };
    sandbox.job.destinations = [first, second];
    const { id } = await makeBackup(sandbox);
    use(other, "shop");
    sandbox.job.destinations = [first];
    await makeBackup(sandbox, "--adopt");
    sandbox.job.destinations = [first, second];
    const { id: third, destinations } = await makeBackup(sandbox);
    expect(destinations).toMatchObject([{}, { prune: { removed: [id], kept: 1 } }]);
    expect(readdirSync(join(sandbox.path, "second/test/app"))).toEqual([third]);
  });
});

describe("ordinary use goes on", () => {
  it("with a role that may not read the identifier, and after it may", async () => {
    await sql(postgres, "shop", "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    await sql(postgres, "shop", "CREATE ROLE plain LOGIN PASSWORD 'pl41n-marker' IN ROLE pg_read_all_data");
    const url = new URL(postgres.url("shop"));
    Object.assign(url, { username: "plain", password: "pl41n-marker" });
    sandbox.environment.APP_URL = url.href;
    const { id } = await makeBackup(sandbox);
    expect(databaseIn(id).identity).toEqual({ systemIdentifier: null, name: "shop" });
    await makeBackup(sandbox);
    use(postgres, "shop");
    const { id: known } = await makeBackup(sandbox);
    expect(databaseIn(known).identity).toEqual({ systemIdentifier: await identifierOf(postgres), name: "shop" });
    // Of a database of another name even a role that knows less is sure.
    Object.assign(url, { pathname: "/b" });
    sandbox.environment.APP_URL = url.href;
    await sql(postgres, "b", "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    expect((await sandbox.run("backup")).code).toBe(2);
  });

  it("beside backups of a version that did not say which database it was", async () => {
    const { id } = await makeBackup(sandbox);
    forgetIdentity(id);
    use(other, "shop");
    expect((await makeBackup(sandbox)).destinations).toMatchObject([{ prune: { removed: [id] } }]);
  });

  it("when several databases become more", async () => {
    sandbox.job.database = { ...(sandbox.job.database as object), databases: ["shop"] };
    const { id } = await makeBackup(sandbox);
    expect(databaseIn(id).identity).toEqual({ systemIdentifier: await identifierOf(postgres), name: null });
    sandbox.job.database = { ...(sandbox.job.database as object), databases: ["shop", "b"] };
    await makeBackup(sandbox);
  });
});
