import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { query } from "../../../../tools/query.ts";
import { listed, makeBackup, printed } from "../../../helpers/reports.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";
import { startSupabase, type SupabaseServer } from "../../../../tools/services/supabase-database.ts";

let server: SupabaseServer;
let sandbox: Sandbox;
let full: string;
const overTls = (url: string): string => url.replace("@127.0.0.1:", "@localhost:");
beforeAll(async () => {
  server = await startSupabase({ tls: true });
  full = overTls(await server.fullProject("full"));
});
afterAll(() => server.postgres.stop());
beforeEach(() => {
  const rootCertificate = server.postgres.rootCertificate ?? "";
  sandbox = new Sandbox(full, { database: { kind: "supabase", url: { env: "APP_URL" }, rootCertificate } });
});
afterEach(() => {
  sandbox.remove();
});

describe("a Supabase project at the command line", () => {
  it("is backed up, verified, listed with its contents, and restored once it is confirmed", async () => {
    const { id, objects } = await makeBackup(sandbox);
    expect(objects.map(({ artifact }) => artifact)).toEqual([
      "database.dump",
      "roles.sql",
      "extensions.sql",
      "owners.sql",
      "platform-objects.sql",
      "publications.sql",
      "grants.sql",
      "event-triggers.sql",
      "default-privileges.sql",
      "cron.sql",
      "queues.sql",
      "inventory.json",
    ]);
    expect(await listed(sandbox)).toMatchObject([{ id, state: "verified" }]);
    const { stdout: contents } = await sandbox.run("list", "--contents");
    for (const line of [
      "auth: users, identities, sessions",
      "schema shop: definitions and the rows of 5 tables",
      "policies and triggers, with their comments, on tables of auth, storage, realtime and queues: 8",
      "jobs of pg_cron: 3",
      "NOT in this backup: vault.sql. Vault has 2 secrets that cannot be recovered",
    ]) {
      expect(contents).toContain(line);
    }

    sandbox.job.drill = { target: { env: "APP_URL" }, acceptSharedUser: true };
    const drill = await sandbox.run("drill");
    expect([drill.code, drill.stderr]).toEqual([2, expect.stringContaining("Restore it into a spare project")]);

    await server.newProject("copy");
    sandbox.environment.TARGET_URL = overTls(server.urlAs("postgres", "copy"));
    const reference = `localhost:${server.postgres.port}/copy`;
    const plan = await sandbox.run("restore", "--to", "env:TARGET_URL", "--dry-run");
    expect(plan.code, plan.stderr).toBe(0);
    expect(plan.stdout).toMatch(
      /^would restore .*nothing was changed\n[^]*the plan:\n {4}extensions: 7\n[^]*deliberately not restored:\n/,
    );
    const unconfirmed = await sandbox.run("restore", "--to", "env:TARGET_URL");
    expect([unconfirmed.code, unconfirmed.stderr]).toEqual([2, expect.stringContaining(`--confirm ${reference}`)]);
    expect(await query(server.postgres.url("copy"), "SELECT FROM auth.users")).toEqual([]);
    const { code, stdout, stderr } = await sandbox.run("restore", "--to", "env:TARGET_URL", "--confirm", reference);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/compared with the backup:\n {4}tables: \d+ with \d+ rows\n/);
    expect(stdout).toMatch(
      / {2}not in the backup:\n( {4}.*\n)* {4}vault\.sql: Vault has 2 secrets that cannot be recovered/,
    );
    expect(stdout).toContain("refused by the server:\n    EVENT TRIGGER note_ddl");
    expect(stdout).toContain("users: 40, and the 36 who have a password log in with it as before");
    expect(await query(server.postgres.url("copy"), "SELECT count(*)::int AS n FROM auth.users")).toEqual([{ n: 40 }]);
  });

  it("has everything that a backup needs, says doctor", async () => {
    const checks = printed(await sandbox.run("doctor", "--json")) as { name: string; ok: boolean }[];
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["privileges", "row level security", "lock"]),
    );
    sandbox.job.database = { ...(sandbox.job.database as object), exclude: ["nosuch"] };
    const wrong = printed(await sandbox.run("doctor", "--json"), 2) as { name: string; ok: boolean; detail: string }[];
    expect(wrong).toContainEqual(
      expect.objectContaining({
        name: "privileges",
        ok: false,
        detail: expect.stringContaining("nosuch") as string,
      }),
    );
  });

  it("exports Vault's secrets only into an encrypted backup, and shows them nowhere", async () => {
    sandbox.job.database = { ...(sandbox.job.database as object), vault: "export" };
    const open = await sandbox.run("backup");
    expect([open.code, open.stderr]).toEqual([
      2,
      expect.stringMatching(/encryption: is missing; .*because vault: export/),
    ]);
    const identity = await generateX25519Identity();
    sandbox.environment.AGE_IDENTITY = identity;
    sandbox.job.encryption = { recipients: [await identityToRecipient(identity)], identity: { env: "AGE_IDENTITY" } };
    const { code, stdout, stderr } = await sandbox.run("backup", "--log-level", "debug");
    expect(code, stderr).toBe(0);
    const { stdout: contents } = await sandbox.run("list", "--contents");
    expect(contents).toContain("2 secrets of Vault, decrypted");
    await server.newProject("with_secrets");
    sandbox.environment.TARGET_URL = overTls(server.urlAs("postgres", "with_secrets"));
    const reference = `localhost:${server.postgres.port}/with_secrets`;
    const restored = await sandbox.run("restore", "--to", "env:TARGET_URL", "--confirm", reference, "--json");
    expect(printed(restored)).toMatchObject({ differences: [] });
    for (const text of [stdout, stderr, contents, restored.stdout, restored.stderr])
      expect(text).not.toContain("s3cr3t");
    const secrets = "SELECT decrypted_secret AS secret FROM vault.decrypted_secrets WHERE name = 'api_key'";
    expect(await query(server.postgres.url("with_secrets"), secrets)).toEqual([{ secret: "a key of ours: s3cr3t" }]);
  });
});
