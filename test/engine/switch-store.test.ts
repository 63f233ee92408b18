import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { compareDatabases } from "../../tools/compare-databases.ts";
import { secret, startEngine, type Engine, type EngineStack } from "../../tools/engine.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { emptyDatabase, sql } from "../helpers/databases.ts";
import type { Listed } from "../helpers/reports.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { DropboxService } from "../../tools/services/dropbox.ts";
import { GoogleDriveService } from "../../tools/services/google-drive.ts";

const program = fileURLToPath(new URL("../../index.ts", import.meta.url));
const redirects = ["dropbox", "google-drive"].map((name) =>
  fileURLToPath(new URL(`../../tools/services/${name}-redirect.ts`, import.meta.url)),
);

let postgres: Postgres;
let dropbox: DropboxService;
let drive: GoogleDriveService;
let engine: Engine;
let stack: EngineStack;
let folder: TemporaryFolder;
/** The folder that the stack makes on this machine. */
let directory: string;

beforeAll(async () => {
  folder = new TemporaryFolder();
  directory = join(folder.path, "host");
  [postgres, engine, dropbox, drive] = await Promise.all([
    startPostgres(),
    startEngine(),
    DropboxService.start(),
    GoogleDriveService.start(),
  ]);
  await createSampleDatabase(postgres.url("shop"), { megabytes: 1 });
  stack = await engine.stack({
    program,
    config: {
      target: "host",
      secrets: {
        appUrl: secret(postgres.url("shop")),
        dropboxSecret: secret(dropbox.appSecret),
        dropboxToken: secret(dropbox.refreshToken),
        googleSecret: secret(drive.clientSecret),
        googleToken: secret(drive.refreshToken),
      },
      jobs: [
        {
          name: "app",
          schedule: { cron: "0 3 * * *", timezone: Intl.DateTimeFormat().resolvedOptions().timeZone },
          database: { kind: "postgres", url: { secret: "appUrl" } },
          destinations: [
            {
              kind: "dropbox",
              folder: "/Backups",
              appKey: dropbox.appKey,
              appSecret: { secret: "dropboxSecret" },
              refreshToken: { secret: "dropboxToken" },
            },
          ],
        },
      ],
      host: { directory, scheduler: "none" },
    },
  });
});
afterAll(async () => {
  await stack.destroy();
  await Promise.all([engine.stop(), postgres.stop(), dropbox.close(), drive.close()]);
  folder.remove();
});

/** Runs a command of the deployed runner as the stack's outputs give it to a person; requests go to the services here. */
async function run(words: string, environment: NodeJS.ProcessEnv = {}): Promise<string> {
  const { app } = (await stack.outputs()).jobs?.value as Record<string, { list: string }>;
  const command = app?.list.replace("runner/cli.js list", `runner/cli.js ${words}`) ?? "";
  expect(command).toContain(words);
  const { stdout } = await promisify(execFile)("/bin/sh", ["-c", command], {
    env: {
      PATH: process.env.PATH,
      HOME: folder.path,
      DROPBOX_SERVICE: dropbox.origin,
      GOOGLE_DRIVE_SERVICE: drive.origin,
      NODE_OPTIONS: redirects.map((path) => `--import=${path}`).join(" "),
      ...environment,
    },
  });
  return stdout;
}

async function listed(): Promise<string[]> {
  const [store] = JSON.parse(await run("list --json")) as Listed[];
  expect(store?.backups.map(({ state }) => state)).toEqual(store?.backups.map(() => "verified"));
  return store?.backups.map(({ id }) => id) ?? [];
}

it(
  "changes from Dropbox to Google Drive by an edit of one block, and keeps what was there",
  { timeout: 180_000 },
  async () => {
    await stack.up();
    await run("backup");
    const before = await listed();
    expect(before).toHaveLength(1);
    const former = join(folder.path, "former.json");
    // As docs/stores.md says: the old store's secrets are not the stack's any more, so the environment has them.
    const job = readFileSync(join(directory, "jobs/app.json"), "utf8");
    writeFileSync(former, job.replaceAll(/"secret":\s*"dropbox(\w+)"/g, '"env": "DROPBOX_$1"'));

    const file = join(stack.directory, "Pulumi.dev.yaml");
    const settings = readFileSync(file, "utf8");
    const changed = settings.replace(/^( *)- kind: dropbox\n(?:\1 +.*\n)*/m, (_block, indent: string) =>
      [
        "- kind: google-drive",
        "  folder: /Backups",
        `  clientId: ${drive.clientId}`,
        "  clientSecret: { secret: googleSecret }",
        "  refreshToken: { secret: googleToken }",
      ]
        .map((line) => `${indent}${line}\n`)
        .join(""),
    );
    expect(changed).not.toContain("kind: dropbox");
    writeFileSync(file, changed);
    const outcome = await stack.up();
    expect(outcome.steps.map(({ op, name }) => `${op} ${name}`).sort()).toEqual([
      "update host-app-file",
      "update host-secrets-file",
    ]);
    const deployed = JSON.parse(readFileSync(join(directory, "secrets.json"), "utf8")) as object;
    expect(Object.keys(deployed)).toEqual(["appUrl", "googleSecret", "googleToken", "provisionSigningKey"]);

    await sql(postgres, "shop", "CREATE TABLE later AS SELECT 1 AS one");
    await run("backup");
    const after = await listed();
    expect(after).toHaveLength(1);
    expect(after).not.toEqual(before);

    const secrets = { DROPBOX_Secret: dropbox.appSecret, DROPBOX_Token: dropbox.refreshToken };
    await run(`copy --all --from-job ${former}`, secrets);
    expect(await listed()).toEqual([...before, ...after]);
    for (const [index, id] of [...before, ...after].entries()) {
      const target = `switched_${index}`;
      await run(`restore ${id} --to env:TARGET_URL`, { TARGET_URL: await emptyDatabase(postgres, target) });
      const { differences } = await compareDatabases(postgres.url("shop"), postgres.url(target));
      // The first was made before the database got one table more.
      expect(differences.length > 0).toBe(index === 0);
      for (const difference of differences) expect(difference).toContain("public.later");
    }
  },
);
