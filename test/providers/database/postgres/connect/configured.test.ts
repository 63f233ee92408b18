import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { DatabaseConfig } from "../../../../../providers/database/index.ts";
import { configuredConnection } from "../../../../../providers/database/postgres/connect/configured.ts";
import { rdsRoots, rdsRootsFile, rdsToken } from "../../../../../providers/database/postgres/connect/rds.ts";
import { tokenFault } from "../../../../helpers/rds-token.ts";

const HOST = "app.abcdefghijkl.eu-central-1.rds.amazonaws.com";
const parts = {
  username: "app user",
  password: "p@ss/w:rd%",
  engine: "postgres",
  host: HOST,
  port: 5433,
  dbname: "shop",
};
const json = (change: object = {}) => JSON.stringify({ ...parts, ...change });
const managed = JSON.stringify({ username: "postgres", password: "p@ss/w:rd%" });

/** The error of a configuration, which never shows the password. */
function fault(secret: string, config: Parameters<typeof configuredConnection>[1] = {}): unknown {
  try {
    configuredConnection(secret, config);
    return undefined;
  } catch (error) {
    expect(JSON.stringify([(error as Error).message, (error as { fix?: string }).fix])).not.toMatch(/w:rd|w%3Ard/);
    return error;
  }
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("a secret as RDS writes it", () => {
  it("is a connection to that host, which Amazon's roots must vouch for", () => {
    expect(configuredConnection(json(), {})).toMatchObject({
      hosts: [{ host: HOST, port: 5433 }],
      user: "app user",
      password: "p@ss/w:rd%",
      database: "shop",
      sslMode: "verify-full",
      sslRootCertificate: "rds",
    });
    const aurora = json({ engine: "aurora-postgresql", port: "5432", dbClusterIdentifier: "x" });
    expect(configuredConnection(aurora, {}).hosts).toEqual([{ host: HOST, port: 5432 }]);
    expect(configuredConnection(json(), { rootCertificate: "/ca.pem" })).toMatchObject({
      sslRootCertificate: "/ca.pem",
    });
  });

  it("may leave it to the configuration where the server is, as one that RDS manages does", () => {
    expect(configuredConnection(managed, { server: `${HOST}:5432/shop` })).toMatchObject({
      hosts: [{ host: HOST, port: 5432 }],
      user: "postgres",
      password: "p@ss/w:rd%",
      database: "shop",
      sslMode: "verify-full",
    });
    // What the secret itself says goes before.
    expect(configuredConnection(json(), { server: "other/else" }).database).toBe("shop");
  });

  it.each([
    ["is cut off", json().slice(0, -5), /is not JSON/],
    ["has no user", json({ username: undefined }), /lacks, or has in another form: username/],
    ["has a port in another form", json({ port: true }), /another form: port/],
    ["is of MySQL", json({ engine: "mysql" }), /not PostgreSQL/],
    ["names no database", json({ dbname: undefined }), /has no dbname/],
    ["names no host", managed, /has no host/],
  ])("is refused where it %s", (_, secret, message) => {
    expect(fault(secret)).toMatchObject({ code: "CONFIG", message: expect.stringMatching(message) as string });
  });
});

describe("auth: rds-iam", () => {
  const auth = { kind: "rds-iam", resourceId: "db-ABC", user: "backup" } as const;

  it("verifies the server in full, with Amazon's roots unless others are named", () => {
    const found = configuredConnection(`postgres://backup@${HOST}/shop`, { auth });
    expect(found).toMatchObject({ sslMode: "verify-full", sslRootCertificate: "rds", password: undefined });
    const url = `postgres://backup@${HOST}/shop?sslmode=verify-full&sslrootcert=/own.pem`;
    expect(configuredConnection(url, { auth, rootCertificate: "system" })).toMatchObject({
      sslRootCertificate: "/own.pem",
    });
  });

  it.each([
    ["a password", `postgres://backup:p%40ss%2Fw%3Ard%25@${HOST}/shop`, /has a password/],
    ["a secret with a password", json(), /has a password/],
    ["another user", `postgres://other@${HOST}/shop`, /auth.user is backup, and the connection URL has the user other/],
    ["a weaker mode", `postgres://backup@${HOST}/shop?sslmode=require`, /requires sslmode=verify-full/],
    [
      "a weaker mode with a root",
      `postgres://backup@${HOST}/shop?sslmode=verify-ca&sslrootcert=/ca`,
      /requires sslmode=verify-full/,
    ],
    ["no TLS", `postgres://backup@${HOST}/shop?sslmode=disable`, /requires sslmode=verify-full/],
    ["a socket", "postgres://backup@%2Frun%2Fpostgresql/shop", /unix socket/],
  ])("refuses a URL with %s", (_, url, message) => {
    expect(fault(url, { auth })).toMatchObject({ code: "CONFIG", message: expect.stringMatching(message) as string });
  });

  it("signs as AWS documents it, for the region in the host's name before the environment's", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "an-example-of-a-secret");
    vi.stubEnv("AWS_REGION", "us-east-1");
    const rules = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "an-example-of-a-secret", lifeSeconds: 900 };
    const tokenOf = (url: string, more: object = {}) => {
      const connection = configuredConnection(url, { auth });
      const [host] = connection.hosts;
      return host === undefined ? "" : rdsToken(connection, { ...auth, ...more }, host);
    };
    const url = `postgres://backup@${HOST}:5433/shop`;
    expect(
      tokenFault(await tokenOf(url), `${HOST}:5433`, "backup", { ...rules, region: "eu-central-1" }),
    ).toBeUndefined();
    const set = await tokenOf(url, { region: "eu-west-3" });
    expect(tokenFault(set, `${HOST}:5433`, "backup", { ...rules, region: "eu-west-3" })).toBeUndefined();
    const elsewhere = await tokenOf("postgres://backup@db.example.com/shop");
    expect(tokenFault(elsewhere, "db.example.com:5432", "backup", { ...rules, region: "us-east-1" })).toBeUndefined();
    vi.stubEnv("AWS_REGION", undefined);
    vi.stubEnv("AWS_DEFAULT_REGION", undefined);
    await expect(tokenOf("postgres://backup@db.example.com/shop")).rejects.toMatchObject({ code: "CONFIG" });
  });

  it("names one database and one user: no wildcard, and no name of the database", () => {
    const parse = (change: object) =>
      DatabaseConfig.safeParse({ kind: "postgres", url: { env: "X" }, auth: { ...auth, ...change } }).success;
    expect(parse({})).toBe(true);
    for (const wrong of [
      { user: "*" },
      { user: "b?" },
      { resourceId: "*" },
      { resourceId: "shop" },
      { region: "*" },
      { user: undefined },
    ]) {
      expect(parse(wrong), JSON.stringify(wrong)).toBe(false);
    }
  });
});

describe("rootCertificate", () => {
  it("verifies in full what has a password, too", () => {
    const url = `postgres://u:p@${HOST}/shop`;
    expect(configuredConnection(url, { rootCertificate: "rds" })).toMatchObject({
      sslMode: "verify-full",
      sslRootCertificate: "rds",
    });
    expect(configuredConnection(url, {})).toMatchObject({ sslMode: undefined, sslRootCertificate: undefined });
    expect(fault(`${url}?sslmode=require`, { rootCertificate: "rds" })).toMatchObject({ code: "CONFIG" });
  });

  it("brings Amazon's: roots of RDS that are good for decades, and nobody else's", async () => {
    const certificates =
      (await rdsRoots()).match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
    const roots = certificates.map((pem) => new X509Certificate(pem));
    const owners = new Set(roots.map(({ subject }) => /^O=(.*)$/m.exec(subject)?.[1]?.replaceAll("\\", "")));
    expect([...owners].sort()).toEqual(["Amazon", "Amazon Web Services, Inc.", "Starfield Technologies, Inc."]);
    const lasting = roots.filter(({ validToDate }) => validToDate.getUTCFullYear() >= 2060);
    for (const region of ["us-east-1", "eu-central-1", "ap-southeast-4", "me-central-1"]) {
      expect(lasting.filter(({ subject }) => subject.includes(`Amazon RDS ${region} Root CA`))).toHaveLength(3);
    }
    expect(lasting.every((root) => root.verify(root.publicKey))).toBe(true);
    expect(readFileSync(await rdsRootsFile(), "utf8")).toBe(await rdsRoots());
  });
});
