import { createHash } from "node:crypto";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connect } from "../../../../../providers/database/postgres/connect/control-connection.ts";
import { parseConnectionUrl } from "../../../../../providers/database/postgres/connect/connection-url.ts";
import { takeLock } from "../../../../../providers/database/postgres/dump/job-lock.ts";
import { LockHeldError } from "../../../../../providers/errors.ts";
import { type Postgres, startPostgres } from "../../../../../tools/postgres.ts";
import { failureOf } from "../../../../helpers/failure.ts";
import { query } from "../../../../../tools/query.ts";
import { Sandbox } from "../../../../helpers/sandbox.ts";

const JOB = "test/app";
/** What every version has locked for this job. */
const KEY = createHash("sha256").update(`provision:${JOB}`).digest().readBigInt64BE(0).toString();

describe("a job's lock", { timeout: 120_000 }, () => {
  let server: Postgres;
  let sandbox: Sandbox;
  let holder: Client;
  beforeAll(async () => {
    server = await startPostgres({ settings: { max_prepared_transactions: "2" } });
    const roles =
      "CREATE ROLE mallory LOGIN PASSWORD 'word-of-mallory'; CREATE ROLE backup LOGIN PASSWORD 'word-of-backup' IN ROLE pg_read_all_data";
    await query(server.url("postgres"), roles);
    await query(server.url("postgres"), "CREATE DATABASE app");
  });
  afterAll(() => server.stop());
  const urlOf = (role: string) => `postgresql://${role}:word-of-${role}@127.0.0.1:${server.port}/app`;
  beforeEach(() => {
    sandbox = new Sandbox(urlOf("backup"));
  });
  afterEach(async () => {
    await holder.end();
    sandbox.remove();
  });
  const hold = async (role: string, application: string, sql = `SELECT pg_advisory_lock(${KEY})`) => {
    holder = new Client({ connectionString: urlOf(role), application_name: application });
    holder.on("error", () => undefined);
    await holder.connect();
    await holder.query(sql);
    return (await holder.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]?.pid;
  };
  const failure = async () => {
    const control = await connect(parseConnectionUrl(urlOf("backup")), new AbortController().signal);
    return failureOf(takeLock(control, JOB)).finally(() => control.close());
  };

  const isFree = async () => {
    const client = new Client({ connectionString: server.url("app") });
    await client.connect();
    const { rows } = await client.query<{ free: boolean }>(`SELECT pg_try_advisory_lock(${KEY}) AS free`);
    await client.end();
    return rows[0]?.free;
  };

  it("names the run that holds it", async () => {
    const pid = await hold("backup", "provision");
    const error = await failure();
    expect(error).toBeInstanceOf(LockHeldError);
    expect(error.message).toContain(
      `process ${pid}, role "backup", application_name "provision", from 127.0.0.1, connected since 2`,
    );
    expect(await sandbox.run("backup")).toMatchObject({ code: 6 });
  });

  it.each([
    ["by another role", "mallory", "provision"],
    ["by another program", "backup", "psql"],
    ["by both", "mallory", "x\u001B[2J"],
  ])(
    "is not one of a run where it is held %s, which is said together with how to end it",
    async (_by, role, application) => {
      const pid = await hold(role, application);
      const error = await failure();
      expect(error).not.toBeInstanceOf(LockHeldError);
      expect(error.code).toBe("CONFLICT");
      expect(error.message).toContain(`a session that is no run of it, process ${pid}, role "${role}"`);
      expect(error.message).not.toContain("\u001B");
      expect(error.fix).toContain(`REVOKE CONNECT ON DATABASE "app" FROM PUBLIC, "${role}"`);
      // A job that makes no backups, instead of one that waits for its own last run.
      const { code, stderr } = await sandbox.run("backup");
      expect([code, stderr]).toEqual([4, expect.stringContaining(`process ${pid}`)]);
      expect((await sandbox.run("doctor")).stdout).toContain(`process ${pid}`);

      const end = /SELECT pg_terminate_backend\(\d+\)/.exec(error.fix ?? "")?.[0] ?? "";
      await query(server.url("app"), end);
      await expect.poll(isFree).toBe(true);
    },
  );

  it("is said to be a prepared transaction's", async () => {
    await hold("mallory", "psql", `BEGIN; SELECT pg_advisory_xact_lock(${KEY}); PREPARE TRANSACTION 'theirs'`);
    const error = await failure();
    expect(error.message).toContain("a prepared transaction");
    expect(error.fix).toContain("ROLLBACK PREPARED");
    await holder.query("ROLLBACK PREPARED 'theirs'");
    expect(await sandbox.run("backup")).toMatchObject({ code: 0 });
  });
});
