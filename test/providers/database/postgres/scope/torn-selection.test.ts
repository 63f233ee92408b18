import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDatabase } from "../../../../../providers/database/index.ts";
import { type Postgres, startPostgres } from "../../../../../tools/postgres.ts";
import { failureOf } from "../../../../helpers/failure.ts";
import { query } from "../../../../../tools/query.ts";
import { store, type StoredBackup } from "../../../../helpers/stored-backup.ts";

const never = new AbortController().signal;

describe("a selection", () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
    await query(server.url("postgres"), "CREATE DATABASE torn TEMPLATE template0");
    await query(
      server.url("torn"),
      `CREATE SCHEMA lib; CREATE SCHEMA app; CREATE SCHEMA ext; CREATE SCHEMA functions; CREATE SCHEMA words;
       CREATE TYPE lib.kind AS ENUM ('a'); CREATE DOMAIN lib.email AS text; CREATE TYPE lib.pair AS (a int, b int);
       CREATE FUNCTION lib.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
       CREATE FUNCTION lib.one() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
       CREATE SEQUENCE lib.numbers; CREATE TABLE lib.base (id int); CREATE COLLATION lib.plain FROM "C";
       CREATE EXTENSION citext WITH SCHEMA ext;
       CREATE TABLE app.kinds (kind lib.kind);
       CREATE TABLE app.mails (mail lib.email[]);
       CREATE TABLE app.pairs (p lib.pair);
       CREATE TABLE app.touched (id serial);
       CREATE TRIGGER touch BEFORE UPDATE ON app.touched FOR EACH ROW EXECUTE FUNCTION lib.touch();
       CREATE TABLE app.numbered (n int DEFAULT nextval('lib.numbers'));
       CREATE TABLE app.child (x int) INHERITS (lib.base);
       CREATE TABLE app.checked (n int CHECK (n > lib.one()));
       CREATE TABLE app.indexed (n int); CREATE INDEX by_one ON app.indexed ((n + lib.one()));
       CREATE TABLE app.sorted (t text COLLATE lib.plain);
       CREATE TABLE app.guarded (n int); CREATE POLICY guard ON app.guarded USING (n = lib.one());
       CREATE VIEW app.ones AS SELECT lib.one();
       CREATE TABLE app.days (at date) PARTITION BY RANGE (at);
       CREATE TABLE lib.first PARTITION OF app.days FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
       CREATE FUNCTION functions.rows() RETURNS SETOF lib.base LANGUAGE sql AS 'SELECT * FROM lib.base';
       CREATE TABLE words.all (w ext.citext)`,
    );
  });
  afterAll(() => server.stop());

  const backUp = async (selection: { include?: string[]; exclude?: string[] }): Promise<StoredBackup> => {
    const provider = await createDatabase(
      { kind: "postgres", url: { env: "URL" }, lockTimeoutSeconds: 30, ...selection },
      { secrets: { url: server.url("torn") } },
    );
    return store(await provider.backup({ lock: "torn", signal: never }));
  };
  const restored = async ({ artifacts, facts }: StoredBackup): Promise<string> => {
    const name = `restored_${Math.random().toString(36).slice(2)}`;
    await query(server.url("postgres"), `CREATE DATABASE ${name} TEMPLATE template0`);
    const target = await createDatabase(
      { kind: "postgres", url: { env: "URL" }, lockTimeoutSeconds: 30 },
      { secrets: { url: server.url(name) } },
    );
    const common = { allowNonEmpty: false, jobs: 1, scratchDirectory: "/tmp", createRoles: false, noOwner: false };
    await target.restore(artifacts, { ...common, facts, signal: never });
    return server.url(name);
  };

  it.each([
    ["app.kinds", "table column app.kinds.kind needs type lib.kind"],
    ["app.mails", "table column app.mails.mail needs type lib.email[]"],
    ["app.pairs", "table column app.pairs.p needs type lib.pair"],
    ["app.touched", "trigger touch on app.touched needs function lib.touch()"],
    ["app.numbered", "default value for app.numbered.n needs sequence lib.numbers"],
    ["app.child", "table app.child needs table lib.base"],
    ["app.checked", "table constraint checked_n_check on app.checked needs function lib.one()"],
    ["app.indexed", "index app.by_one needs function lib.one()"],
    ["app.sorted", "table column app.sorted.t needs collation lib.plain"],
    ["app.guarded", "policy guard on app.guarded needs function lib.one()"],
    ["app.ones", "app.ones needs function lib.one()"],
    ["functions", "function functions.rows() needs type lib.base"],
  ])("that keeps %s is refused without what that needs, and taken with it", async (kept, message) => {
    const error = await failureOf(backUp({ include: [kept, "ext"] }));
    expect(error.code).toBe("CONFIG");
    expect(error.message).toContain(message);
    expect(error.fix).toContain("Leave out both, or neither.");
    await backUp({ include: [kept, "ext", "lib"], exclude: ["lib.first"] });
  });

  it("that leaves out an extension's schema is refused, because the extension is always there", async () => {
    const error = await failureOf(backUp({ include: ["words"] }));
    expect(error.message).toContain("extension citext needs schema ext");
    await restored(await backUp({ include: ["words", "ext"] }));
  });

  it("may leave out a partition, a child, and what an event trigger does not call", async () => {
    const url = await restored(await backUp({ exclude: ["lib.first", "app.child", "app.touched_id_seq"] }));
    expect(
      await query(url, "SELECT to_regclass('app.days') AS days, to_regclass('app.touched_id_seq') AS own"),
    ).toEqual([{ days: "app.days", own: "app.touched_id_seq" }]);
    await query(
      server.url("torn"),
      `CREATE SCHEMA ddl; CREATE FUNCTION ddl.noted() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
       CREATE EVENT TRIGGER note ON ddl_command_end EXECUTE FUNCTION ddl.noted()`,
    );
    const error = await failureOf(backUp({ exclude: ["ddl"] }));
    expect(error.message).toContain("event trigger note needs function ddl.noted()");
  });
});
