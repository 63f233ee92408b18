import { tmpdir } from "node:os";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { countArtifactRows } from "../../../../providers/database/index.ts";
import { openBackup } from "../../../../providers/database/postgres/dump/backup.ts";
import { parseConnectionUrl } from "../../../../providers/database/postgres/connect/connection-url.ts";
import { projectLayout, type SupabaseSettings } from "../../../../providers/database/supabase/backup.ts";
import { query } from "../../../../tools/query.ts";
import { type StoredBackup, store } from "../../../helpers/stored-backup.ts";
import { startSupabase, type SupabaseServer } from "../../../../tools/services/supabase-database.ts";

const never = new AbortController().signal;

describe("a project's table that changes between the snapshot and its lock", () => {
  let server: SupabaseServer;
  let settings: SupabaseSettings;
  let name: string;
  let projects = 0;
  beforeAll(async () => {
    server = await startSupabase();
  });
  afterAll(() => server.postgres.stop());
  beforeEach(async () => {
    projects += 1;
    name = `changing_${projects}`;
    const connection = parseConnectionUrl(await server.fullProject(name));
    settings = { connection, clients: undefined, lockTimeoutSeconds: 5, vault: "export" };
  });

  /** A backup, during which a statement is committed just after the first snapshot. */
  const backupWith = async (statement: string): Promise<StoredBackup> => {
    let changed = false;
    const backup = await openBackup(settings, { signal: never }, async (control) => {
      const layout = await projectLayout(settings, control);
      if (!changed) await query(server.postgres.url(name), statement);
      changed = true;
      return layout;
    });
    return store(backup);
  };

  it.each([
    [
      "TRUNCATE shop.orders; INSERT INTO shop.orders (total, placed) SELECT 1, now() FROM generate_series(1, 7)",
      "shop.orders",
      7,
    ],
    ["ALTER TABLE shop.orders ALTER note TYPE varchar", "shop.orders", 3000],
    [
      "TRUNCATE auth.audit_log_entries; INSERT INTO auth.audit_log_entries (id) VALUES (gen_random_uuid())",
      "auth.audit_log_entries",
      1,
    ],
    ["VACUUM FULL auth.users", "auth.users", 40],
    ["ALTER TABLE shop.orders RENAME TO sold", "shop.sold", 3000],
    ["DROP TABLE shop.owned", "shop.owned", undefined],
  ])("is backed up as it was or as it is, and so is counted: %s", async (statement, table, expected) => {
    const backup = await backupWith(statement);
    const { rows } = JSON.parse(backup.text("inventory.json")) as { rows: Record<string, number> };
    expect(rows[table]).toBe(expected);
    const [dump] = backup.artifacts;
    if (dump === undefined) throw new Error("The backup has no artifact.");
    const counted = await countArtifactRows({ kind: "postgres", scratch: tmpdir() }, dump, dump.open(never), never);
    expect(counted.find((each) => `${each.schema}.${each.name}` === table)?.rows).toBe(expected);
  });

  it.each([
    ["queues.sql", `TRUNCATE pgmq.q_mails; SELECT pgmq.send('mails', '{"fresh": 1}')`, '"fresh": 1'],
    [
      "cron.sql",
      "TRUNCATE cron.job CASCADE; SET ROLE postgres; SELECT cron.schedule('fresh', '0 0 * * *', 'SELECT 1')",
      "'fresh'",
    ],
    ["vault.sql", "TRUNCATE vault.secrets; SELECT vault.create_secret('what is fresh', 'fresh')", "what is fresh"],
  ])("is in %s as it was or as it is", async (part, statement, expected) => {
    expect((await backupWith(statement)).text(part)).toContain(expected);
  });

  it("stays as it is once it is locked, those of the platform too", async () => {
    const backup = await openBackup(settings, { signal: never }, (control) => projectLayout(settings, control));
    for (const table of ["shop.orders", "auth.users", "pgmq.q_mails", "cron.job", "vault.secrets"]) {
      const change = query(server.postgres.url(name), `SET lock_timeout = 200; TRUNCATE ${table} CASCADE`);
      await expect(change, table).rejects.toThrow("lock timeout");
    }
    await backup.close();
  });
});
