import { randomInt } from "node:crypto";
import { tmpdir } from "node:os";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, DatabaseError } from "pg";
import type { DatabaseBackup, RestoreArtifact } from "../../../../providers/database/database.ts";
import { openProject, restoreInto } from "../../../helpers/supabase-project.ts";
import { toProviderError } from "../../../../providers/errors.ts";
import { streamOf } from "../../../helpers/bytes.ts";
import { query } from "../../../../tools/query.ts";
import { Random } from "../../../helpers/random.ts";
import { startSupabase, type SupabaseServer } from "../../../../tools/services/supabase-database.ts";

const never = new AbortController().signal;
const CHANGES = 200;
/** As many changes are there before the backup begins, so that the moment is in the middle of them. */
const BEFORE = 40;
/** The same changes again: `SEED=<the number in the test's name> npx vitest run …`. */
const SEED = Number(process.env.SEED ?? randomInt(2 ** 31));

/** What must hold in the database once some changes are made: a condition by the name of what it is about; false for what is gone. */
type Facts = ReadonlyMap<string, string>;

/** A change, and what it makes true. */
interface Change {
  readonly sql: string;
  readonly facts: Readonly<Record<string, string>>;
}

/** A table that the changes have made, and change again. */
interface Made {
  readonly name: string;
  readonly rows: number;
  /** As its definition has them. */
  readonly columns: readonly string[];
}

const gone = (name: string): string => `to_regclass('shop.${name}') IS NULL`;
const there = ({ name, rows, columns }: Made): string =>
  `(SELECT count(*) FROM shop.${name}) = ${rows} AND (SELECT string_agg(attname || ' ' || format_type(atttypid, NULL), ', ' ORDER BY attnum)
     FROM pg_attribute WHERE attrelid = 'shop.${name}'::regclass AND attnum > 0 AND NOT attisdropped) = '${columns.join(", ")}'`;

/** Random changes to a project, and the tables that those have made which were committed. */
class Changes {
  readonly #random: Random;
  #tables: readonly Made[] = [];
  #next: readonly Made[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** A change whose number is `i`; it counts once {@link commit} says so. */
  make(i: number): Change {
    this.#next = this.#tables;
    // As often as new things, one of the tables that are there is changed.
    const table = this.#tables.length > 2 && this.#random.below(2) === 0 ? this.#random.pick(this.#tables) : undefined;
    return table === undefined ? this.#random.pick(additions)(i, this) : this.#random.pick(alterations)(i, table, this);
  }

  commit(): void {
    this.#tables = this.#next;
  }

  /** The facts of a table that takes the place of another, or is new, or goes. */
  replace(before: Made | undefined, after: Made | undefined): Record<string, string> {
    this.#next = [...this.#tables.filter((each) => each !== before), ...(after === undefined ? [] : [after])];
    return {
      ...(before === undefined ? {} : { [before.name]: gone(before.name) }),
      ...(after === undefined ? {} : { [after.name]: there(after) }),
    };
  }
}

const alterations: readonly ((i: number, table: Made, changes: Changes) => Change)[] = [
  (i, table, changes) => ({
    sql: `TRUNCATE shop.${table.name}; INSERT INTO shop.${table.name} (n) SELECT generate_series(1, ${i})`,
    facts: changes.replace(table, { ...table, rows: i }),
  }),
  (_, table, changes) => ({ sql: `DROP TABLE shop.${table.name}`, facts: changes.replace(table, undefined) }),
  (i, table, changes) => ({
    sql: `ALTER TABLE shop.${table.name} RENAME TO renamed_${i}`,
    facts: changes.replace(table, { ...table, name: `renamed_${i}` }),
  }),
  (i, table, changes) => ({
    sql: `ALTER TABLE shop.${table.name} ADD COLUMN c_${i} integer NOT NULL DEFAULT ${i}`,
    facts: changes.replace(table, { ...table, columns: [...table.columns, `c_${i} integer`] }),
  }),
  // Each of these rewrites the whole table.
  (i, table, changes) => ({
    sql: `ALTER TABLE shop.${table.name} ADD COLUMN r_${i} double precision DEFAULT random()`,
    facts: changes.replace(table, { ...table, columns: [...table.columns, `r_${i} double precision`] }),
  }),
  (_, table, changes) => {
    const type = table.columns[0] === "n bigint" ? "integer" : "bigint";
    return {
      sql: `ALTER TABLE shop.${table.name} ALTER n TYPE ${type}`,
      facts: changes.replace(table, { ...table, columns: [`n ${type}`, ...table.columns.slice(1)] }),
    };
  },
  (_, table, changes) => ({
    sql: `DELETE FROM shop.${table.name}`,
    facts: changes.replace(table, { ...table, rows: 0 }),
  }),
];

const additions: readonly ((i: number, changes: Changes) => Change)[] = [
  (i, changes) => ({
    sql: `CREATE TABLE shop.made_${i} AS SELECT g AS n FROM generate_series(1, ${i}) AS g`,
    facts: changes.replace(undefined, { name: `made_${i}`, rows: i, columns: ["n integer"] }),
  }),
  (i, changes) => ({
    sql: `CREATE TABLE shop.made_${i} (n bigint)`,
    facts: changes.replace(undefined, { name: `made_${i}`, rows: 0, columns: ["n bigint"] }),
  }),
  (i) => ({
    sql: `CREATE FUNCTION shop.made_${i}() RETURNS int LANGUAGE sql AS 'SELECT ${i}'`,
    facts: { [`change ${i}`]: `to_regprocedure('shop.made_${i}()') IS NOT NULL` },
  }),
  (i) => ({
    sql: `CREATE VIEW shop.view_${i} AS SELECT count(*) AS n FROM shop.orders WHERE id < ${i}`,
    facts: { [`change ${i}`]: `to_regclass('shop.view_${i}') IS NOT NULL` },
  }),
  (i) => ({
    sql: `CREATE SCHEMA made_${i}; CREATE TYPE made_${i}.kind AS ENUM ('a', 'b')`,
    facts: { [`change ${i}`]: `to_regtype('made_${i}.kind') IS NOT NULL` },
  }),
  (i) => ({
    sql: `CREATE INDEX made_index_${i} ON shop.orders (placed, (total + ${i}))`,
    facts: { [`change ${i}`]: `to_regclass('shop.made_index_${i}') IS NOT NULL` },
  }),
  (i) => ({
    sql: `CREATE TRIGGER made_${i} AFTER INSERT ON auth.users FOR EACH ROW WHEN (NEW.is_anonymous) EXECUTE FUNCTION public.note_new_object()`,
    facts: {
      [`change ${i}`]: `EXISTS (SELECT FROM pg_trigger WHERE tgname = 'made_${i}' AND tgrelid = 'auth.users'::regclass)`,
    },
  }),
  (i) => ({
    sql: `CREATE TABLE public.made_${i} (); ALTER TABLE public.made_${i} ENABLE ROW LEVEL SECURITY;
       CREATE POLICY made_${i} ON public.made_${i} USING (true); ALTER PUBLICATION supabase_realtime ADD TABLE public.made_${i}`,
    facts: {
      [`change ${i}`]: `EXISTS (SELECT FROM pg_policy WHERE polname = 'made_${i}')
       AND EXISTS (SELECT FROM pg_publication_tables WHERE pubname = 'supabase_realtime' AND tablename = 'made_${i}')`,
    },
  }),
  (i) => ({
    sql: `SELECT cron.schedule('made_${i}', '0 0 * * *', 'SELECT ${i}')`,
    facts: { [`change ${i}`]: `EXISTS (SELECT FROM cron.job WHERE jobname = 'made_${i}')` },
  }),
  (i) => ({
    sql: `SELECT pgmq.send('mails', '{"made": ${i}}')`,
    facts: { [`change ${i}`]: `EXISTS (SELECT FROM pgmq.q_mails WHERE message ->> 'made' = '${i}')` },
  }),
  (i) => ({
    sql: `INSERT INTO auth.users (id, email, raw_user_meta_data)
       VALUES (gen_random_uuid(), 'made_${i}@example.com', '{"username": "made_${i}"}')`,
    facts: {
      [`change ${i}`]: `EXISTS (SELECT FROM auth.users JOIN public.profiles USING (id) WHERE email = 'made_${i}@example.com' AND username = 'made_${i}')`,
    },
  }),
  (i) => ({
    sql: `DELETE FROM storage.objects WHERE id = md5('object ${i + 1}')::uuid`,
    facts: { [`change ${i}`]: `NOT EXISTS (SELECT FROM storage.objects WHERE id = md5('object ${i + 1}')::uuid)` },
  }),
  (i) => ({
    sql: `CREATE OR REPLACE FUNCTION shop.replaced() RETURNS int LANGUAGE sql AS 'SELECT ${i}'`,
    facts: { "shop.replaced()": `shop.replaced() = ${i}` },
  }),
];

describe("changes during a backup", () => {
  let server: SupabaseServer;
  beforeAll(async () => {
    server = await startSupabase({ tls: true });
  });
  afterAll(() => server.postgres.stop());

  const open = (url: string) => openProject(server, url);

  /** As long as a table was changed in the very moment of each of its snapshots, a backup says to try again. */
  const backUp = async (url: string): Promise<DatabaseBackup> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await (await open(url)).backup({ lock: "moving", signal: never });
      } catch (error) {
        if (toProviderError(error).code !== "TRANSIENT" || attempt === 5) throw error;
      }
    }
  };

  it(`${CHANGES} of definitions and data leave one consistent moment (seed ${SEED})`, async () => {
    const url = await server.fullProject("moving");
    await query(
      url,
      `CREATE TABLE shop.ledger (change int PRIMARY KEY);
       CREATE TABLE shop.accounts AS SELECT i AS id, 100 AS amount FROM generate_series(1, 10) AS i;
       CREATE FUNCTION shop.replaced() RETURNS int LANGUAGE sql AS 'SELECT -1'`,
    );
    const random = new Random(SEED);
    const changes = new Changes(random);
    /** What holds after each change. */
    const history: Facts[] = [new Map([["shop.replaced()", "shop.replaced() = -1"]])];
    const writer = new Client({ connectionString: url });
    await writer.connect();
    // A table that the backup reads cannot be changed at that moment; then something else is.
    await writer.query("SET lock_timeout = '20ms'; SET storage.allow_delete_query = 'true'");
    let made = 0;
    let kept = 0;
    const waiting: { until: number; go: () => void }[] = [];
    const writing = (async () => {
      while (made < CHANGES) {
        const [from, to] = [1 + random.below(10), 1 + random.below(10)];
        const { sql, facts } = changes.make(made);
        try {
          // Each change commits together with the line that tells of it, and with a transfer that keeps the sum.
          await writer.query(
            `BEGIN; ${sql}; INSERT INTO shop.ledger VALUES (${made});
             UPDATE shop.accounts SET amount = amount - 7 WHERE id = ${from}; UPDATE shop.accounts SET amount = amount + 7 WHERE id = ${to}; COMMIT`,
          );
        } catch (error) {
          await writer.query("ROLLBACK");
          if (!(error instanceof DatabaseError) || error.code !== "55P03") throw error;
          kept += 1;
          continue;
        }
        changes.commit();
        history.push(new Map([...(history.at(-1) ?? []), ...Object.entries(facts)]));
        made += 1;
        for (const each of waiting) if (made >= each.until) each.go();
        await delay(random.below(15));
      }
    })();

    // A writer that fails ends the wait too.
    const changed = (until: number): Promise<void> =>
      Promise.race([
        writing,
        new Promise<void>((go) => {
          if (made >= until) go();
          else waiting.push({ until, go });
        }),
      ]);
    await changed(BEFORE);
    const backup = await backUp(url);
    const during = made;
    const artifacts: RestoreArtifact[] = [];
    for (const artifact of backup.artifacts) {
      const { name, format } = artifact;
      // Every part is read after further changes.
      await changed(Math.min(CHANGES, during + (artifacts.length + 1) * 10));
      const bytes = await buffer(artifact.open(never));
      const { clientVersion } = backup.facts;
      artifacts.push({ name, format, clientVersion, size: bytes.length, open: () => streamOf(bytes) });
    }
    await backup.close();
    await writing;
    await writer.end();

    const target = await server.newProject("moment");
    const report = await (await open(target)).restore(artifacts, restoreInto(server, "moment", backup, tmpdir()));
    expect(report.differences).toEqual([]);

    const ledger = await query<{ change: number }>(target, "SELECT change FROM shop.ledger ORDER BY change");
    const last = ledger.length;
    expect(last).toBeGreaterThanOrEqual(BEFORE);
    expect(last).toBeLessThan(CHANGES);
    expect(ledger.map(({ change }) => change)).toEqual(Array.from({ length: last }, (_, i) => i));
    expect(await query(target, "SELECT sum(amount)::int AS sum FROM shop.accounts")).toEqual([{ sum: 1000 }]);
    const then = history[last] ?? new Map<string, string>();
    const wrong: string[] = [];
    for (const [name, condition] of history.at(-1) ?? []) {
      // What came about only later is not there.
      const expected = then.get(name) ?? (name.startsWith("change ") ? `NOT (${condition})` : gone(name));
      const [row] = await query<{ holds: boolean }>(target, `SELECT ${expected} AS holds`);
      if (row?.holds !== true) wrong.push(`${name}: ${expected}`);
    }
    expect(wrong).toEqual([]);
    expect(kept).toBeGreaterThan(0);
  });
});
