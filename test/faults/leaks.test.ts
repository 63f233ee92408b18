import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { emptyDatabase, sql } from "../helpers/databases.ts";
import { canSeeProcesses, commandLines } from "../helpers/processes.ts";
import { Sandbox, type Ended } from "../helpers/sandbox.ts";
import { filesIn } from "../helpers/store.ts";

const PASSWORD = `p@s s/w:d?#%&=+'"\\<ü€>$(x)`;
const seesProcesses = canSeeProcesses("command lines are not looked at");
const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 10 });
  await sql(postgres, "postgres", `CREATE ROLE odd SUPERUSER LOGIN PASSWORD '${PASSWORD.replaceAll("'", "''")}'`);
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(url("shop"), {
    encryption: { recipients: [recipient], identity: { env: "AGE_IDENTITY" } },
    compression: { level: 9 },
  });
  sandbox.environment.AGE_IDENTITY = identity;
});
afterEach(() => {
  sandbox.remove();
});

function url(database: string, password = encodeURIComponent(PASSWORD)): string {
  return `postgresql://odd:${password}@127.0.0.1:${postgres.port}/${database}`;
}

/** All the ways in which a secret may be written. */
function spellings(secret: string): string[] {
  const base64 = [0, 1, 2].map((shift) =>
    Buffer.from("x".repeat(shift) + secret)
      .toString("base64")
      .slice(shift === 0 ? 0 : shift + 1, -4),
  );
  return [secret, encodeURIComponent(secret), encodeURI(secret), JSON.stringify(secret).slice(1, -1), ...base64];
}

const SPELLINGS = [PASSWORD, identity].flatMap(spellings);

function expectClean(text: string, what: string): void {
  expect(
    SPELLINGS.filter((spelling) => text.includes(spelling)),
    what,
  ).toEqual([]);
}

/** Runs `provision` and looks all the while at every command line of the machine, and then at what it printed. */
async function watched(...args: string[]): Promise<Ended & { commands: ReadonlySet<string> }> {
  const commands = new Set<string>();
  const { ended } = sandbox.start(...args, "--log-level", "debug");
  const watch = setInterval(() => {
    if (seesProcesses) for (const command of commandLines()) commands.add(command);
  }, 1);
  const result = await ended;
  clearInterval(watch);
  expectClean([...commands].join("\n"), "command lines");
  expectClean(result.stdout, "standard output");
  expectClean(result.stderr, "standard error");
  return { ...result, commands };
}

it("a secret is in no command line, no log line and no output of a whole life that goes well", async () => {
  const backup = await watched("backup", "--json");
  expect(backup.code, backup.stderr).toBe(0);
  expect(backup.stderr).toContain('"level":"debug"');
  if (seesProcesses) {
    // It did look while they ran.
    for (const program of [/pg_dump .*--snapshot/, /pg_restore /]) {
      expect(
        [...backup.commands].some((command) => program.test(command)),
        String(program),
      ).toBe(true);
    }
  }
  sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy").then(() => url("copy"));
  const restore = await watched("restore", "--to", "env:TARGET_URL", "--jobs", "2", "--scratch", sandbox.path);
  expect(restore.code, restore.stderr).toBe(0);
  for (const command of ["list", "verify", "doctor", "prune"]) {
    const { code, stderr } = await watched(command, "--json");
    expect(code, stderr).toBe(0);
  }
  for (const file of filesIn(sandbox.path)) {
    expectClean(readFileSync(join(sandbox.path, file), "latin1"), file);
    expectClean(readFileSync(join(sandbox.path, file), "utf8"), file);
  }
});

it("a secret is in no message of a run that fails", async () => {
  const good = { ...sandbox.environment };
  const job = sandbox.job;
  const file = join(sandbox.path, "file");
  writeFileSync(file, "");
  const unencoded = PASSWORD.replaceAll("%", "%25").replaceAll("/", "%2F");
  const cases: readonly [string, number, Readonly<Record<string, string>>, Readonly<Record<string, unknown>>?][] = [
    ["an unknown database", 4, { APP_URL: url("nosuch") }],
    ["an unreachable server", 4, { APP_URL: url("shop").replace(`:${postgres.port}/`, ":1/") }],
    ["a server that does not speak TLS", 2, { APP_URL: `${url("shop")}?sslmode=require` }],
    ["another role's password", 4, { APP_URL: url("shop").replace("//odd:", "//postgres:") }],
    ["a password that is not encoded", 2, { APP_URL: url("shop", unencoded) }],
    ["an unknown parameter", 2, { APP_URL: `${url("shop")}?sslmdoe=require` }],
    ["a URL of another kind", 2, { APP_URL: url("shop").replace("postgresql:", "mysql:") }],
    ["a destination that cannot be written", 4, {}, { destinations: [{ kind: "filesystem", path: join(file, "x") }] }],
    ["a public key that is a private one", 2, {}, { encryption: { recipients: [identity] } }],
    ["a URL where a reference belongs", 2, {}, { database: { kind: "postgres", url: url("shop") } }],
  ];
  for (const [name, expected, environment, changes] of cases) {
    Object.assign(sandbox.environment, good, environment);
    sandbox.job = { ...job, ...changes };
    for (const command of ["backup", "doctor"]) {
      const { code, stderr } = await watched(command, "--json");
      expect(code, `${command} with ${name}: ${stderr}`).toBe(command === "doctor" ? 2 : expected);
    }
  }
  Object.assign(sandbox.environment, good, { AGE_IDENTITY: `${identity.slice(0, -3)}QQQ` });
  sandbox.job = job;
  const { code, stderr } = await watched("verify");
  expect([code, stderr]).toEqual([2, expect.stringContaining("is not an age private key")]);
  expect(stderr).not.toContain(identity.slice(20, -3));
});

it("a wrong password is not printed either", async () => {
  const wrong = "another-wrong-password";
  sandbox.environment.APP_URL = url("shop", wrong);
  for (const command of ["backup", "doctor"]) {
    const { stdout, stderr } = await watched(command, "--json");
    expect(stdout + stderr).toContain("password authentication failed");
    expect(stdout + stderr).not.toContain(wrong);
  }
});

it("what a backup writes is for its owner alone, however loose the umask is", async () => {
  const umask = process.umask(0);
  try {
    expect((await sandbox.run("backup")).code).toBe(0);
  } finally {
    process.umask(umask);
  }
  const entries = [
    sandbox.store,
    ...readdirSync(sandbox.store, { recursive: true, encoding: "utf8" }).map((entry) => join(sandbox.store, entry)),
  ];
  expect(entries.length).toBeGreaterThan(6);
  for (const entry of entries) {
    const facts = statSync(entry);
    expect((facts.mode & 0o777).toString(8), entry).toBe(facts.isDirectory() ? "700" : "600");
  }
});
