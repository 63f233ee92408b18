import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { connect } from "../../../providers/database/postgres/connect/control-connection.ts";
import { configuredConnection } from "../../../providers/database/postgres/connect/configured.ts";
import { type Postgres, startPostgres } from "../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../tools/sample-database.ts";
import { registerSecret } from "../../../tools/services/known-secrets.ts";
import { sql } from "../../helpers/databases.ts";
import { listed, makeBackup, printed } from "../../helpers/reports.ts";
import { Sandbox } from "../../helpers/sandbox.ts";
import { type Login, TokenServer } from "../../helpers/token-server.ts";

const REGION = "eu-central-1";
/** Long enough for a program to start and connect, and far shorter than any two of them together take here. */
const LIFE_SECONDS = 5;
const LONGER_MS = (LIFE_SECONDS + 2) * 1000;

const credentials = { accessKeyId: "AKIATESTTESTTESTTEST", secretAccessKey: randomBytes(20).toString("hex") };
const environment = {
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  AWS_REGION: REGION,
};

let postgres: Postgres;
let server: TokenServer;
let sandbox: Sandbox;
let rootCertificate: string;
beforeAll(async () => {
  registerSecret("the AWS secret access key", credentials.secretAccessKey);
  postgres = await startPostgres({ tls: true });
  rootCertificate = postgres.rootCertificate ?? "";
  await createSampleDatabase(postgres.url("shop"), { megabytes: 2 });
  await sql(postgres, "postgres", "CREATE ROLE backup LOGIN SUPERUSER PASSWORD 'unused-password'");
  // The server behind trusts this machine: only the tokens decide.
  writeFileSync(
    join(postgres.directory, "data", "pg_hba.conf"),
    "host all backup 127.0.0.1/32 trust\nhost all all all scram-sha-256\n",
  );
  await sql(postgres, "postgres", "SELECT pg_reload_conf()");
  server = await TokenServer.start(postgres, { ...credentials, region: REGION, lifeSeconds: LIFE_SECONDS });
});
afterAll(async () => {
  await server.stop();
  await postgres.stop();
});
beforeEach(() => {
  server.logins.length = 0;
  const database = { kind: "postgres", url: { env: "APP_URL" }, auth: "rds-iam", rootCertificate };
  sandbox = new Sandbox(server.url("backup", "shop"), { database });
  Object.assign(sandbox.environment, environment);
});
afterEach(() => {
  sandbox.remove();
  vi.unstubAllEnvs();
});

/** The connections that programs of PostgreSQL and this program made, by token. */
function tokens(logins: readonly Login[]): number {
  return new Set(logins.map(({ token }) => token)).size;
}

describe("auth: rds-iam", () => {
  it.each([1, 2])(
    "backs up, verifies, drills and restores with a token for each connection; jobs: %i",
    async (jobs) => {
      sandbox.job = {
        ...sandbox.job,
        database: { ...(sandbox.job.database as object), jobs },
        drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true, auth: "rds-iam", rootCertificate },
      };
      sandbox.environment.DRILL_URL = server.url("backup", "postgres");
      // The control connection's token has expired before pg_dump starts.
      server.stallNextMs = LONGER_MS;
      const { id } = await makeBackup(sandbox);
      expect(await listed(sandbox)).toMatchObject([{ id, state: "verified" }]);
      // The control connection, pg_dump, its workers, and pg_dumpall.
      expect(server.logins.length).toBeGreaterThanOrEqual(jobs === 1 ? 3 : 5);
      expect(tokens(server.logins)).toBeGreaterThanOrEqual(2);

      await sandbox.run("verify", "--json").then(printed);
      const before = server.logins.length;
      expect(printed(await sandbox.run("drill", "--json"))).toMatchObject({ id, outcome: "drilled", problems: [] });
      expect(server.logins.length).toBeGreaterThan(before + 2);

      await sql(postgres, "postgres", `CREATE DATABASE restored_${jobs} TEMPLATE template0`);
      sandbox.environment.TARGET_URL = server.url("backup", `restored_${jobs}`);
      server.stallNextMs = LONGER_MS;
      const restored = printed(await sandbox.run("restore", "--to", "env:TARGET_URL", "--json"));
      expect(restored).toMatchObject({ id });
      const count =
        "SELECT count(*)::int AS n FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
      expect(await sql(postgres, `restored_${jobs}`, count)).toEqual(await sql(postgres, "shop", count));
      expect(server.logins.filter(({ fault }) => fault !== undefined)).toEqual([]);
      expect(server.logins.every(({ user }) => user === "backup")).toBe(true);
    },
    300_000,
  );

  it("refuses a parallel restore, which connects once more at its end, and names the way out", async () => {
    await makeBackup(sandbox);
    await sql(postgres, "postgres", "CREATE DATABASE parallel TEMPLATE template0");
    sandbox.environment.TARGET_URL = server.url("backup", "parallel");
    const refused = await sandbox.run("restore", "--to", "env:TARGET_URL", "--jobs", "2");
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/outlive its token[\s\S]*--no-auth/);

    // The way out: the target's own password.
    sandbox.environment.TARGET_URL = `postgresql://postgres:${postgres.password}@localhost:${postgres.port}/parallel`;
    const withPassword = await sandbox.run("restore", "--to", "env:TARGET_URL");
    expect(withPassword.stderr).toMatch(/has a password[\s\S]*--no-auth/);
    const restored = await sandbox.run("restore", "--to", "env:TARGET_URL", "--no-auth", "--jobs", "2", "--json");
    expect(printed(restored)).toMatchObject({ database: "parallel" });
  }, 300_000);

  it("says what to check where the server refuses a token, of a connection as of pg_dump", async () => {
    sandbox.environment.AWS_SECRET_ACCESS_KEY = "another-secret-access-key";
    const refused = await sandbox.run("backup");
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/PAM authentication failed[\s\S]*rds_iam[\s\S]*rds-db:connect/);
    expect(server.logins.map(({ fault }) => fault)).toEqual(["its signature is wrong"]);
  });

  it("says that there are no credentials, and asks the server for nothing", async () => {
    delete sandbox.environment.AWS_ACCESS_KEY_ID;
    sandbox.environment.AWS_EC2_METADATA_DISABLED = "true";
    const refused = await sandbox.run("backup");
    expect(refused.stderr).toMatch(/has no AWS credentials to sign a token with/);
    expect(server.logins).toEqual([]);
  });
});

describe("a secret as RDS writes it", () => {
  it("may be rotated in the middle of a day: the next run takes what is then there, over TLS that is verified", async () => {
    const [morning, evening] = [randomBytes(12).toString("hex"), randomBytes(12).toString("hex")];
    const written = (password: string) => {
      registerSecret("the password of a rotated secret", password);
      const { port } = postgres;
      return JSON.stringify({
        username: "rotated",
        password,
        engine: "postgres",
        host: "localhost",
        port,
        dbname: "shop",
      });
    };
    sandbox.job = { ...sandbox.job, database: { kind: "postgres", url: { env: "APP_URL" }, rootCertificate } };
    sandbox.environment.APP_URL = written(morning);
    await sql(postgres, "postgres", `CREATE ROLE rotated LOGIN SUPERUSER PASSWORD '${morning}'`);
    const first = await makeBackup(sandbox);

    await sql(postgres, "postgres", `ALTER ROLE rotated PASSWORD '${evening}'`);
    const former = await sandbox.run("backup");
    expect(former.code).not.toBe(0);
    expect(former.stderr).toContain('password authentication failed for user "rotated"');
    sandbox.environment.APP_URL = written(evening);
    const second = await makeBackup(sandbox);
    const backups = [first, second].map(({ id }) => expect.objectContaining({ id, state: "verified" }) as unknown);
    expect(await listed(sandbox)).toEqual(expect.arrayContaining(backups));
  }, 120_000);
});

describe("a token", () => {
  const open = async (url: string, change: object = {}) => {
    const connection = { ...configuredConnection(url, { auth: "rds-iam", rootCertificate }), ...change };
    const control = await connect(connection, AbortSignal.timeout(20_000));
    await control.close();
  };

  it("is good for one endpoint, user and time", async () => {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    await open(server.url("backup", "shop"));
    const old = server.logins[0]?.token ?? "";
    const faultOf = async (url: string, token?: string): Promise<unknown> => {
      const change = token === undefined ? {} : { token: () => Promise.resolve(token) };
      await expect(open(url, change)).rejects.toMatchObject({ code: "AUTH" });
      return server.logins.at(-1)?.fault;
    };
    expect(await faultOf(server.url("postgres", "shop"), old)).toBe("it is for another user");
    expect(await faultOf(server.url("backup", "shop"), old.replace("localhost", "elsewhere"))).toMatch(
      /it is for elsewhere/,
    );
    const forged = old.replace(
      /(X-Amz-Signature=)(.)/,
      (_, name: string, digit: string) => name + (digit === "0" ? "1" : "0"),
    );
    expect(await faultOf(server.url("backup", "shop"), forged)).toBe("its signature is wrong");
    expect(await faultOf(server.url("backup", "shop"), old.replace("Expires=900", "Expires=901"))).toBe(
      "its signature is wrong",
    );
    await delay(LONGER_MS);
    expect(await faultOf(server.url("backup", "shop"), old)).toBe("it has expired");
    await open(server.url("backup", "shop"));
    vi.stubEnv("AWS_REGION", "us-east-1");
    expect(await faultOf(server.url("backup", "shop"))).toBe("its scope is another");
  });

  it("is shown only to a server that Amazon's roots, or those of the configuration, vouch for", async () => {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    await expect(open(server.url("backup", "shop"), { sslRootCertificate: "rds" })).rejects.toMatchObject({
      code: "CONFIG",
    });
    await expect(open(server.url("backup", "shop").replace("localhost", "127.0.0.1"))).rejects.toMatchObject({
      code: "CONFIG",
    });
    expect(server.logins).toEqual([]);
  });
});
