import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, beforeAll, expect, it } from "vitest";
import { compareDatabases } from "../../tools/compare-databases.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { ROOT } from "../../tools/tests/imports.ts";
import { ensureProgram } from "../helpers/ensure-program.ts";
import { Sandbox } from "../helpers/sandbox.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { snippetsOf } from "./markdown.ts";

const PAGE = "docs/restore.md";
const haveTools =
  (await ensureProgram("age", "age")) && (await ensureProgram("zstd", "zstd")) && (await ensureProgram("jq", "jq"));

let postgres: Postgres;
let sandbox: Sandbox;
let programs: TemporaryFolder;
beforeAll(async () => {
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 2 });
  sandbox = new Sandbox(postgres.url("shop"));
  programs = new TemporaryFolder();
});
afterAll(async () => {
  sandbox.remove();
  programs.remove();
  await postgres.stop();
});

/** The variables that a block of the page sets, which it asks the reader to change. */
const variablesOf = (text: string) => [...text.matchAll(/\b([A-Z]+(?:_[A-Z]+)*)=/g)].map(([, name]) => name);

it.runIf(haveTools)(
  "every command of the page works, with and without this program, on a real backup",
  { timeout: 300_000 },
  async () => {
    const identity = await generateX25519Identity();
    const files = { identity: join(sandbox.path, "identity.txt"), passwords: join(sandbox.path, "pgpass") };
    writeFileSync(files.identity, `${identity}\n`, { mode: 0o600 });
    writeFileSync(files.passwords, `*:*:*:*:${postgres.password}\n`, { mode: 0o600 });
    sandbox.job.encryption = { recipients: [await identityToRecipient(identity)] };
    expect(await sandbox.run("backup")).toMatchObject({ code: 0 });
    const [id = ""] = readdirSync(join(sandbox.store, "test/app"));

    const own = {
      JOB: join(sandbox.path, "job.json"),
      PROVISION_SECRETS_FILE: join(sandbox.path, "none.json"),
      IDENTITY: files.identity,
      PGHOST: postgres.host,
      PGPORT: String(postgres.port),
      PGUSER: postgres.user,
      PGPASSFILE: files.passwords,
      TARGET: postgres.url("app_restored"),
      BACKUP: join(sandbox.store, "test/app", id),
    };
    const shell = snippetsOf(PAGE).filter(({ language }) => language === "sh");
    // A variable that the page begins to ask for has to get a value here.
    const asked = shell.filter(({ notRun }) => notRun !== undefined).flatMap(({ text }) => variablesOf(text));
    expect([...new Set(asked)].sort()).toEqual(Object.keys(own).sort());

    programs.program("provision", `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, "runner/cli.js")}" "$@"\n`);
    const run = shell.filter(({ notRun }) => notRun === undefined);
    expect(run.length).toBeGreaterThan(6);
    const script = run.map(({ at, text }) => `echo "== ${at}"\n${text}`).join("\n");
    const { status, stdout, stderr } = spawnSync("bash", ["--norc", "-eu", "-o", "pipefail", "-c", script], {
      cwd: sandbox.path,
      env: { ...sandbox.environment, ...own, PATH: [programs.path, postgres.binDirectory, process.env.PATH].join(":") },
      encoding: "utf8",
    });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
    expect(stdout).toContain("database.dump.zst.age: OK");
    // What gzip says of the dump, and then the manifest.
    expect(stdout).toMatch(/^ ([0-9a-f]{8})\n\1 {2}database\.dump\.zst\.age$/m);
    for (const copy of ["app_restored", "app_by_hand"]) {
      const { tables, differences } = await compareDatabases(postgres.url("shop"), postgres.url(copy));
      expect(differences, copy).toEqual([]);
      expect(tables.length).toBeGreaterThan(10);
    }
  },
);
