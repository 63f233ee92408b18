import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DatabaseProvider, RestoreOptions } from "../../../providers/database/database.ts";
import { createDatabase } from "../../../providers/database/index.ts";
import { compareDatabases } from "../../../tools/compare-databases.ts";
import { query } from "../../helpers/postgres.ts";
import { store, type StoredBackup } from "../../helpers/stored-backup.ts";
import { startSupabase, type SupabaseServer } from "../../services/supabase-database.ts";

const never = new AbortController().signal;

describe("a Supabase project", () => {
  let server: SupabaseServer;
  let backup: StoredBackup;
  beforeAll(async () => {
    server = await startSupabase({ tls: true });
    backup = await store(
      await (await open(await server.fullProject("full"), "export")).backup({ lock: "test", signal: never }),
    );
  });
  afterAll(() => server.postgres.stop());

  function open(url: string, vault: "export" | "leave-out" = "leave-out"): Promise<DatabaseProvider> {
    const rootCertificate = server.postgres.rootCertificate ?? "";
    return createDatabase(
      { kind: "supabase", url: { env: "URL" }, lockTimeoutSeconds: 30, vault, rootCertificate },
      { secrets: { url: url.replace("@127.0.0.1:", "@localhost:") } },
    );
  }
  const reference = (name: string): string => `localhost:${server.postgres.port}/${name}`;
  const options = (name: string, changes: Partial<RestoreOptions> = {}): RestoreOptions => ({
    facts: backup.facts,
    allowNonEmpty: false,
    jobs: 1,
    scratchDirectory: tmpdir(),
    createRoles: false,
    noOwner: false,
    confirm: reference(name),
    signal: never,
    ...changes,
  });

  it("is restored into a new one, equal by the catalogue", async () => {
    const url = await server.newProject("copy");
    const report = await (await open(url)).restore(backup.artifacts, options("copy"));
    console.log(report);
    const { differences } = await compareDatabases(server.postgres.url("full"), server.postgres.url("copy"));
    expect(differences).toEqual([]);
  });
});
