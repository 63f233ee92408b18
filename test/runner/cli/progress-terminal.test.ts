import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../tools/sample-database.ts";
import { emptyDatabase } from "../../helpers/databases.ts";
import { hasProgram } from "../../helpers/programs.ts";
import { makeBackup } from "../../helpers/reports.ts";
import { CLI, Sandbox } from "../../helpers/sandbox.ts";
import { atTerminal } from "../../helpers/terminal.ts";

const can = hasProgram("script", "no progress line is looked for on a terminal");

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 8 });
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  sandbox = new Sandbox(postgres.url("shop"), { drill: { target: { env: "APP_URL" }, acceptSharedUser: true } });
  // So slow that there is something to show.
  sandbox.replaceClient("pg_restore", postgres.binDirectory, 'sleep 0.6; exec "$real" "$@"');
  sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy");
  await makeBackup(sandbox, "--no-verify");
});
afterEach(() => {
  sandbox.remove();
});

const PROGRESS = String.raw`\d+%, [\d.]+ k?M?B of [\d.]+ k?M?B, [\d.]+ k?M?B/s, (\d+ s left|finishing)`;

/** Runs `provision` at a pseudo-terminal. */
const provision = (args: string) =>
  atTerminal(`${process.execPath} ${CLI} ${args} --job ${join(sandbox.path, "job.json")}`, sandbox.environment);

describe.runIf(can)("at a terminal", () => {
  it.each([
    ["verify", "verify"],
    ["restore --to env:TARGET_URL", "restore"],
    ["drill latest", "restore"],
  ])("%s shows how far it is, and the time left", async (args, step) => {
    const { code, text } = await provision(args);
    expect(code, text).toBe(0);
    expect(text).toMatch(new RegExp(`${step}: ${PROGRESS}`));
  });

  it("copy shows how far it is, too", async () => {
    const second = { kind: "filesystem", path: join(sandbox.path, "second") };
    sandbox.job.destinations = [...(sandbox.job.destinations as object[]), second];
    // Writes the job's file.
    expect(await sandbox.run("list")).toMatchObject({ code: 0 });
    const { code, text } = await provision("copy --from 0 --to 1");
    expect(code, text).toBe(0);
    // The copy is read back in full, which is the slow part here.
    expect(text).toMatch(new RegExp(`(copy|verify): ${PROGRESS}`));
  });

  it("shows none with --json", async () => {
    const { code, text } = await provision("verify --json");
    expect(code, text).toBe(0);
    expect(text).not.toContain("%");
  });
});

it("shows none where there is no terminal", async () => {
  const { code, stdout, stderr } = await sandbox.run("verify");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).not.toContain("%");
});
