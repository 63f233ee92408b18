import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Redactor } from "../../../runner/run/redact.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { emptyDatabase, sql } from "../../helpers/databases.ts";
import { Sandbox } from "../../helpers/sandbox.ts";

function redactor(...secrets: string[]): Redactor {
  const made = new Redactor();
  for (const secret of secrets) made.add(secret);
  return made;
}

describe("a password that is also a name", () => {
  const { redact } = {
    redact: (text: string) => redactor("postgres://postgres:postgres@localhost:55432/postgres").redact(text),
  };

  it.each([
    "Look at the plan with --dry-run, and then say --confirm localhost:55432/postgres.",
    'password authentication failed for user "postgres"',
    "the database postgres on localhost:55432",
    '{"kind":"postgres","database":"postgres"}',
  ])("leaves what people must read or type: %s", (text) => {
    expect(redact(text)).toBe(text);
  });

  it.each([
    ["postgres://postgres:postgres@localhost/x", "postgres://postgres:[redacted]@localhost/x"],
    ["host=localhost password=postgres user=postgres", "host=localhost password=[redacted] user=postgres"],
    ['{"user":"postgres","password": "postgres"}', '{"user":"postgres","password": "[redacted]"}'],
    ["PGPASSWORD='postgres' psql", "PGPASSWORD='[redacted]' psql"],
    ["the password is postgres.", "the password is [redacted]."],
    ["url postgres://postgres:postgres@localhost:55432/postgres", "url [redacted]"],
  ])("is taken out where a secret stands: %s", (text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  it("and so is a part of a name, and a word of this program's own", () => {
    const made = redactor("postgres://app:shop@db/shop_production", "backup");
    expect(made.redact("backup of shop_production; password=shop; token: backup")).toBe(
      "backup of shop_production; password=[redacted]; token: [redacted]",
    );
  });

  it("a job's name among them", () => {
    const made = redactor("postgres://app:nightly@db/x");
    expect(made.redact("prod/nightly")).toBe("prod/[redacted]");
    made.publish("nightly");
    expect(made.redact("prod/nightly, password: nightly")).toBe("prod/nightly, password: [redacted]");
  });
});

describe("a secret that is none of these", () => {
  it.each(["tiger", "sunshine", "hunter2", "qzjxkvwp", "Postgres1"])("is taken out everywhere: %s", (password) => {
    const made = redactor(`postgres://postgres:${password}@localhost:55432/postgres`);
    expect(made.redact(`a ${password} in "${password}" at localhost:55432/${password}`)).toBe(
      'a [redacted] in "[redacted]" at localhost:55432/[redacted]',
    );
  });

  it("of a webhook's address is its path", () => {
    expect(redactor("https://hc-ping.com/0a1b2c3d").redact("https://hc-ping.com/0a1b2c3d/fail")).toBe(
      "[redacted]/fail",
    );
  });
});

it("the password of a URL that nobody has made known is taken out", () => {
  expect(redactor().redact("at redis://user:s3same@host:1/0, https://host:8080/a@b, ssh://git@host/x")).toBe(
    "at redis://user:[redacted]@host:1/0, https://host:8080/a@b, ssh://git@host/x",
  );
});

describe("at the command line", () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await startPostgres();
    await emptyDatabase(postgres, "shop");
    await sql(postgres, "postgres", "CREATE ROLE shop SUPERUSER LOGIN PASSWORD 'shop'");
  });
  afterAll(() => postgres.stop());

  it("a role, a database and a password of one name are told apart", async () => {
    const url = `postgres://shop:shop@127.0.0.1:${postgres.port}/shop`;
    // Whatever a sandbox gets as its URL is taken for a real secret.
    const sandbox = new Sandbox("postgres://nobody@127.0.0.1/none");
    sandbox.environment.APP_URL = url;
    try {
      expect((await sandbox.run("backup")).code).toBe(0);
      const doctor = await sandbox.run("doctor");
      expect(doctor.stdout + doctor.stderr).not.toContain("[redacted]");
      sandbox.environment.TARGET_URL = url;
      const restore = await sandbox.run("restore", "--to", "env:TARGET_URL", "--dry-run");
      expect(restore.stdout).toContain("into shop; nothing was changed");
      sandbox.environment.APP_URL = url
        .replace("/shop:shop@", "/postgres:shop@")
        .replace("//shop:shop@", "//postgres:shop@");
      const refused = await sandbox.run("backup");
      expect(refused.stderr).toContain('password authentication failed for user "postgres"');
    } finally {
      sandbox.remove();
    }
  });
});
