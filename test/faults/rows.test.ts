import { readFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { emptyDatabase, sql } from "../helpers/databases.ts";
import { canSeeProcesses, commandLines } from "../helpers/processes.ts";
import { makeBackup } from "../helpers/reports.ts";
import { Sandbox, type Ended } from "../helpers/sandbox.ts";
import { filesIn } from "../helpers/store.ts";
import { SentryIngest } from "../../tools/services/sentry-ingest.ts";
import { WebhookReceiver } from "../../tools/services/webhook-receiver.ts";

/** Stands in a row; in none of what leaves may even a part of it be. */
const MARKER = "DE89370400440532013000";
const TRACES = [MARKER, MARKER.slice(0, 8), MARKER.slice(-8), MARKER.toLowerCase()];

/** A way in which a restore fails over a row: what the source has, and what a person must read of it. */
interface Cause {
  readonly what: string;
  /** Makes the database; `f` accepts everything at first. */
  readonly before: string;
  /** Changes what `f` is, once the rows are there. */
  readonly after: string;
  /** Takes away what a row names, once the backup is made. */
  readonly gone?: string;
  readonly told: RegExp;
  /** How a drill ends; default: 5, the backup cannot be restored. */
  readonly drilled?: number;
}

const table = `CREATE TABLE accounts (id int, iban text); INSERT INTO accounts VALUES (1, '1'), (2, '${MARKER}')`;
const accepts = "CREATE FUNCTION f(v text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN true; END $$";
const becomes = (body: string): string =>
  `CREATE OR REPLACE FUNCTION f(v text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF length(v) > 5 THEN ${body} END IF; RETURN true; END $$`;
const checked = `${accepts}; ${table}; ALTER TABLE accounts ADD CONSTRAINT sound CHECK (f(iban))`;
const indexed = `CREATE FUNCTION g(v text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT v'; ${table}`;

/** Types whose values are names of objects, and what of a row is looked for as one. */
const NAMING: Readonly<Record<string, string>> = {
  regclass: "iban",
  regtype: "iban",
  regnamespace: "iban",
  regrole: "iban",
  regproc: "iban",
  regprocedure: "iban || '(int)'",
  regoperator: "'+(' || iban || ',int)'",
  regconfig: "iban",
  regdictionary: "iban",
  regcollation: "iban",
};
const unchecked = (expression: string): string =>
  `${table}; ALTER TABLE accounts ADD CONSTRAINT named CHECK (${expression} IS NOT NULL) NOT VALID; UPDATE pg_constraint SET convalidated = true WHERE conname = 'named'`;
const unfilled = (expression: string): string =>
  `${table}; CREATE MATERIALIZED VIEW shown AS SELECT ${expression} AS named FROM accounts WITH NO DATA; UPDATE pg_class SET relispopulated = true WHERE relname = 'shown'`;
/** What a person is told where a value names something. */
const lacks = /COPY failed for table "accounts": the server's message is withheld/;

/** SQLSTATE 42704: the drill's server may lack what is no part of a database, a role for instance, and that says nothing of the backup. */
const ofServer = { drilled: 2 };

const CAUSES: readonly Cause[] = [
  ...Object.entries(NAMING).map(([type, expression]) => ({
    what: `a check that a value names a ${type}`,
    before: unchecked(`(${expression})::text::${type}`),
    after: "SELECT 1",
    told: lacks,
    ...(/^reg(type|role)$/.test(type) && ofServer),
  })),
  ...["regrole", "aclitem"].map((type) => ({
    what: `a value of the type ${type}`,
    before: `DROP ROLE IF EXISTS "${MARKER}"; CREATE ROLE "${MARKER}"; CREATE TABLE accounts (id int, who ${type});
      INSERT INTO accounts VALUES (1, NULL), (2, '${type === "aclitem" ? `"${MARKER}"=r/postgres` : `"${MARKER}"`}')`,
    after: "SELECT 1",
    gone: `DROP ROLE "${MARKER}"`,
    told: lacks,
    ...ofServer,
  })),
  {
    what: "a view whose values name roles",
    before: unfilled("iban::regrole"),
    after: "SELECT 1",
    told: /withheld.*SQLSTATE 42704.*in REFRESH MATERIALIZED VIEW public\.shown/,
    ...ofServer,
  },
  {
    what: "a view whose values name files",
    before: unfilled("(pg_stat_file(iban)).size"),
    after: "SELECT 1",
    told: /withheld/,
  },
  {
    what: "an index whose function looks for names",
    before: `CREATE FUNCTION g(v text) RETURNS regclass LANGUAGE sql IMMUTABLE AS 'SELECT 1259::regclass'; ${table}; CREATE INDEX by_name ON accounts (g(iban))`,
    after:
      "CREATE OR REPLACE FUNCTION g(v text) RETURNS regclass LANGUAGE internal IMMUTABLE STRICT AS 'text_regclass'",
    told: /withheld.*SQLSTATE 42P01.*in CREATE INDEX by_name/,
  },
  {
    what: "a check that fails",
    before: checked,
    after: "CREATE OR REPLACE FUNCTION f(v text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT length(v) < 5'",
    told: /violates check constraint "sound" \(SQLSTATE 23514.*line 2 of the rows of accounts/,
  },
  {
    what: "a key that is there twice",
    before: `${indexed}; CREATE UNIQUE INDEX one_each ON accounts (g(iban))`,
    after: `CREATE OR REPLACE FUNCTION g(v text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''${MARKER}''::text'`,
    told: /could not create unique index "one_each" \(SQLSTATE 23505.*in CREATE UNIQUE INDEX one_each/,
  },
  {
    what: "a reference to nothing",
    before: `CREATE TABLE banks (iban text PRIMARY KEY); ${table};
      INSERT INTO banks SELECT iban FROM accounts; ALTER TABLE accounts ADD CONSTRAINT of_bank FOREIGN KEY (iban) REFERENCES banks`,
    after: `SET session_replication_role = replica; DELETE FROM banks WHERE length(iban) > 5`,
    told: /"accounts" violates foreign key constraint "of_bank" \(SQLSTATE 23503/,
  },
  {
    what: "a null where none may be",
    before: `CREATE TABLE accounts (id int, iban text); INSERT INTO accounts VALUES (NULL, '${MARKER}')`,
    after: "UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 'accounts'::regclass AND attname = 'id'",
    told: /null value in column "id" of relation "accounts" .*SQLSTATE 23502/,
  },
  {
    what: "a domain's check",
    before: `${accepts}; CREATE DOMAIN iban AS text CHECK (f(VALUE)); CREATE TABLE accounts (iban iban); INSERT INTO accounts VALUES ('${MARKER}')`,
    after: "CREATE OR REPLACE FUNCTION f(v text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT length(v) < 5'",
    told: /COPY failed for table "accounts": .*value for domain public\.iban violates check constraint "iban_check"/,
  },
  {
    what: "a text that is no number",
    before: checked,
    after: "CREATE OR REPLACE FUNCTION f(v text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT v::int > 0'",
    told: /COPY failed for table "accounts"/,
  },
  {
    what: "a function's own words",
    before: checked,
    after: becomes("RAISE EXCEPTION 'the account % is closed', v USING DETAIL = v, HINT = v, ERRCODE = '42501';"),
    told: /COPY failed for table "accounts": the server's message is withheld/,
  },
  {
    what: "a function's words that look like the server's",
    before: checked,
    after: becomes(
      `RAISE EXCEPTION 'permission denied for table %', v USING ERRCODE = '42501', TABLE = v, COLUMN = v, CONSTRAINT = v;`,
    ),
    told: /COPY failed for table "accounts": the server's message is withheld/,
  },
  {
    what: "a function's words that look like a program's",
    before: checked,
    after: becomes(
      `RAISE EXCEPTION E'no\\npg_restore: error: COPY failed for table "%": ERROR:  deadlock detected\\nCONTEXT:  COPY %, line 1\\nFix: run %', v, v, v;`,
    ),
    told: /COPY failed for table "accounts": the server's message is withheld/,
  },
  {
    what: "a warning, and then an error",
    before: checked,
    after: becomes(
      `RAISE WARNING 'look at %', v; RAISE WARNING E'look at\\npg_restore: warning: %', v; PERFORM v::int;`,
    ),
    told: /pg_restore: error: .*withheld/,
  },
  {
    what: "an index on a function",
    before: `${indexed}; CREATE INDEX by_iban ON accounts (g(iban))`,
    after: `CREATE OR REPLACE FUNCTION g(v text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF length(v) > 5 THEN RAISE 'bad %', v; END IF; RETURN v; END $$`,
    told: /withheld.*in CREATE INDEX by_iban/,
  },
  {
    what: "a view that is filled again",
    before: `CREATE FUNCTION g(v text) RETURNS text LANGUAGE sql AS 'SELECT v'; ${table}; CREATE MATERIALIZED VIEW shown AS SELECT public.g(iban) FROM accounts`,
    after: "CREATE OR REPLACE FUNCTION g(v text) RETURNS text LANGUAGE sql AS 'SELECT (v::int)::text'",
    told: /in REFRESH MATERIALIZED VIEW public\.shown/,
  },
];

const seesProcesses = canSeeProcesses("command lines are not looked at");
const identity = await generateX25519Identity();
let postgres: Postgres;
let ingest: SentryIngest;
let receiver: WebhookReceiver;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  ingest = new SentryIngest("a0123456789abcdef");
  receiver = new WebhookReceiver("key-of-the-check");
  await Promise.all([ingest.start(), receiver.start()]);
  sandbox = new Sandbox(await emptyDatabase(postgres, "shop"), {
    schedule: { cron: "0 3 * * *" },
    encryption: { recipients: [await identityToRecipient(identity)], identity: { env: "IDENTITY" } },
    drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true },
    monitor: [
      { kind: "log", metrics: "none" },
      { kind: "sentry", dsn: { env: "DSN" } },
      { kind: "webhook", url: { env: "HEARTBEAT" } },
    ],
  });
  Object.assign(sandbox.environment, {
    DSN: ingest.dsn,
    HEARTBEAT: receiver.url,
    IDENTITY: identity,
    DRILL_URL: postgres.url("postgres"),
    TARGET_URL: postgres.url("target"),
  });
});
afterEach(async () => {
  sandbox.remove();
  await Promise.all([ingest.stop(), receiver.stop()]);
});

/** Runs `provision`, and looks all the while at the command lines of all processes. */
async function watched(...args: string[]): Promise<Ended> {
  const { ended } = sandbox.start(...args, "--log-level", "debug");
  const commands = new Set<string>();
  const watch = setInterval(() => {
    if (seesProcesses) for (const command of commandLines()) commands.add(command);
  }, 5);
  const result = await ended.finally(() => {
    clearInterval(watch);
  });
  expectNoRow([...commands].join("\n"), "command lines");
  return result;
}

function expectNoRow(text: string, where: string): void {
  expect(
    TRACES.filter((trace) => text.includes(trace)),
    `${where}: ${text}`,
  ).toEqual([]);
}

/** All that left the process: its outputs, what monitors received, and every file that it left. */
function expectNoRowLeft({ stdout, stderr }: Ended): void {
  expectNoRow(stdout, "standard output");
  expectNoRow(stderr, "standard error");
  for (const { body } of [...ingest.received, ...receiver.received]) expectNoRow(body.toString(), "a monitor");
  for (const file of filesIn(sandbox.path)) expectNoRow(readFileSync(join(sandbox.path, file), "latin1"), file);
}

describe("a row stays in the backup where a restore fails over", () => {
  it.each(CAUSES)("$what", async ({ before, after, gone, told, drilled = 5 }) => {
    await sql(postgres, "shop", before);
    await sql(postgres, "shop", after);
    await makeBackup(sandbox);
    if (gone !== undefined) await sql(postgres, "shop", gone);
    const drill = await watched("drill");
    expectNoRowLeft(drill);
    const said = drilled === 5 ? drill.stdout : drill.stderr;
    expect([drill.code, said]).toEqual([drilled, expect.stringMatching(told)]);
    expect(drill.stderr).toMatch(/"step":"drill"/);
    for (const jobs of ["1", "2"]) {
      await emptyDatabase(postgres, "target");
      const restore = await watched("restore", "--to", "env:TARGET_URL", "--jobs", jobs);
      expectNoRowLeft(restore);
      expect(restore.code, restore.stderr).not.toBe(0);
      expect(restore.stderr).toMatch(told);
      expect(restore.stderr).toMatch(/\nFix: /);
    }
    // They did hear of it.
    expect(ingest.events.length).toBeGreaterThan(0);
    expect(receiver.pings.length).toBeGreaterThan(0);
  });
});
