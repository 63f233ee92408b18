import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runMeasured } from "../../../../tools/bench/run-measured.ts";
import { COMPILE, limits } from "../../../../tools/bench/cases.ts";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { seal } from "../../../../runner/backups/documents/sealed-json.ts";
import { backupFolder, printed } from "../../../helpers/reports.ts";
import { sampleManifest } from "../../../helpers/sample-manifest.ts";
import { CLI, Sandbox } from "../../../helpers/sandbox.ts";

/** Earlier backups, with which a run compares its own, and the tables of each: 1 MB of JSON. */
const BACKUPS = 10;
const TABLES = 10_000;

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  sandbox = new Sandbox(postgres.url("postgres"));
  const tables = Array.from({ length: TABLES }, (_, n) => ({ schema: "public", name: `t_${n}`, estimatedRows: 50 }));
  for (let day = 10; day < 10 + BACKUPS; day += 1) {
    const id = `202601${day}T030405Z-1a2b3c`;
    const folder = backupFolder(sandbox, id);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const manifest = sampleManifest(id, { stack: "test", name: "app" });
    const text = seal({ ...manifest, database: { ...manifest.database, tables } });
    writeFileSync(join(folder, "manifest.json"), text, { mode: 0o600 });
  }
  expect(printed(await sandbox.run("list", "--json"))).toMatchObject([{ backups: { length: BACKUPS } }]);
  await runMeasured("compiling", COMPILE, { env: process.env, memory: false });
});
afterAll(async () => {
  sandbox.remove();
  await postgres.stop();
});

it.each(["list", "backup"])("keeps its memory beside backups of thousands of tables: provision %s", async (command) => {
  const line = [process.execPath, CLI, command, "--job", join(sandbox.path, "job.json")];
  const { megabytes } = await runMeasured(command, line, { env: sandbox.environment, memory: true });
  expect(megabytes).toBeLessThan(limits.megabytes);
});
