import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { compareDatabases } from "../../../tools/compare-databases.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { emptyDatabase, sql } from "../../helpers/databases.ts";
import { query } from "../../../tools/query.ts";
import { listed } from "../../helpers/reports.ts";
import { Sandbox } from "../../helpers/sandbox.ts";
import { filesIn } from "../../helpers/store.ts";
import { startSupabase, type SupabaseServer } from "../../../tools/services/supabase-database.ts";

/** Made by commit f0b8aa8: each backed up and drilled by its own command line, of a database that content.sql made. */
const FIXTURES = join(import.meta.dirname, "../../fixtures/backups-0.1.0");

/** What the jobs `files` and `encrypted-files` kept. */
const FILES = [
  ["avatars/a.png", "a picture"],
  ["avatars/deep/er/it's (odd) & ü.txt", "some text\n"],
  ["avatars/empty", ""],
] as const;

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "original");
  await sql(postgres, "original", readFileSync(join(FIXTURES, "content.sql"), "utf8"));
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(postgres.url("original"));
  execFileSync("tar", ["-xzf", join(FIXTURES, "backups.tar.gz"), "-C", sandbox.path]);
});
afterEach(() => {
  sandbox.remove();
});

/** The sandbox's job becomes one of those of the fixture. */
async function use(name: string): Promise<void> {
  const encrypted = name.startsWith("encrypted");
  Object.assign(sandbox.job, { stack: "prod", name });
  if (!encrypted) return;
  const identity = join(sandbox.path, "identity.txt");
  const recipients = [await identityToRecipient(readFileSync(identity, "utf8").trim())];
  sandbox.job.encryption = { recipients, identity: { file: identity } };
}

describe.each(["plain", "encrypted", "directory", "files", "encrypted-files"])("a backup of 0.1.0, %s", (name) => {
  beforeEach(() => use(name));

  it("is listed as it was: verified and drilled", async () => {
    expect(await listed(sandbox)).toMatchObject([{ state: "verified", drill: { outcome: "drilled" } }]);
  });

  it("is verified, and drilled, again", async () => {
    const { code, stderr } = await sandbox.run("verify");
    expect(code, stderr).toBe(0);
    sandbox.job.drill = { target: { env: "APP_URL" }, acceptSharedUser: true };
    const drill = await sandbox.run("drill");
    expect([drill.code, drill.stdout]).toEqual([0, expect.stringContaining("3 tables with 160 rows")]);
  });

  it("is restored, and nothing differs from what it was made of", async () => {
    sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "target");
    const { code, stderr } = await sandbox.run("restore", "--to", "env:TARGET_URL");
    expect(code, stderr).toBe(0);
    const { differences } = await compareDatabases(postgres.url("original"), postgres.url("target"));
    expect(differences).toEqual([]);
  });

  it("takes its place beside new backups of the job, and is pruned as the rule says", async () => {
    sandbox.job.retention = { last: 1 };
    const { code, stderr } = await sandbox.run("backup", "--adopt");
    expect(code, stderr).toBe(0);
    expect(await listed(sandbox)).toHaveLength(1);
  });
});

it.each(["files", "encrypted-files"])("the files of a backup of 0.1.0 are restored, %s", async (name) => {
  await use(name);
  const { code, stderr } = await sandbox.run("restore", "--files", join(sandbox.path, "files"));
  expect(code, stderr).toBe(0);
  expect(filesIn(join(sandbox.path, "files")).sort()).toEqual(FILES.map(([path]) => path).sort());
  for (const [path, content] of FILES) {
    expect(readFileSync(join(sandbox.path, "files", path), "utf8")).toBe(content);
  }
});

describe("a Supabase project's backup of 0.1.0", () => {
  let server: SupabaseServer;
  beforeAll(async () => {
    server = await startSupabase({ tls: true });
    await server.newProject("copy");
  });
  afterAll(() => server.postgres.stop());

  it("is listed, verified and restored into a project of today", async () => {
    await use("project");
    const overTls = server.urlAs("postgres", "copy").replace("@127.0.0.1:", "@localhost:");
    const rootCertificate = server.postgres.rootCertificate ?? "";
    Object.assign(sandbox.job, { database: { kind: "supabase", url: { env: "APP_URL" }, rootCertificate } });
    Object.assign(sandbox.environment, { APP_URL: overTls, TARGET_URL: overTls });
    expect(await listed(sandbox)).toMatchObject([{ state: "verified" }]);
    const verified = await sandbox.run("verify");
    expect(verified.code, verified.stderr).toBe(0);
    const reference = `localhost:${server.postgres.port}/copy`;
    const restored = await sandbox.run("restore", "--to", "env:TARGET_URL", "--confirm", reference, "--create-roles");
    expect(restored.code, restored.stderr).toBe(0);
    expect(await query(server.postgres.url("copy"), "SELECT count(*)::int AS n FROM auth.users")).toEqual([{ n: 40 }]);
  });
});
