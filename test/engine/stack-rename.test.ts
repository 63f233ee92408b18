import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BackupHost } from "../../components/host/backup-host.ts";
import { readSettings } from "../../components/settings/settings.ts";
import type { Settings } from "../../components/settings/types.ts";
import { withSigning } from "../../components/signing-key.ts";
import { secret, startEngine, type Engine, type EngineStack, type StackConfig } from "../../tools/engine.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { emptyDatabase } from "../helpers/databases.ts";
import type { Listed } from "../helpers/reports.ts";
import { TemporaryFolder } from "../helpers/script.ts";

const UP_MS = 180_000;

let engine: Engine;
let postgres: Postgres;
let folder: TemporaryFolder;
let stack: EngineStack;
/** What the program calls its component. */
let component = "host";

function configOf(directory = join(folder.path, "host")): StackConfig {
  const settings: StackConfig = {
    target: "host",
    secrets: { appUrl: secret(postgres.url("shop")) },
    jobs: [
      {
        name: "app",
        database: { kind: "postgres", url: { secret: "appUrl" } },
        destinations: [{ kind: "filesystem" }, { kind: "filesystem", path: join(folder.path, "share") }],
        retention: { last: 3 },
      },
    ],
    host: { directory, scheduler: "none" },
  };
  // Whatever the project is called.
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [`provision:${key}`, value]));
}

function program() {
  const { settings } = withSigning(readSettings());
  const { jobs } = new BackupHost(component, settings as Extract<Settings, { target: "host" }>);
  return Promise.resolve({ jobs });
}

beforeAll(async () => {
  folder = new TemporaryFolder();
  [engine, postgres] = await Promise.all([startEngine(), startPostgres()]);
  await emptyDatabase(postgres, "shop");
  stack = await engine.stack({ config: configOf(), program });
}, UP_MS);
afterAll(async () => {
  await Promise.all([engine.stop(), postgres.stop()]);
  folder.remove();
});

interface Commands {
  readonly run: string;
  readonly list: string;
  readonly backups: readonly string[];
}

async function job(of = stack): Promise<Commands> {
  const { app } = (await of.outputs()).jobs?.value as Record<string, Commands>;
  return app ?? expect.fail();
}

async function shell(command: string): Promise<string> {
  return (await promisify(execFile)("/bin/sh", ["-c", command], { timeout: 60_000 })).stdout;
}

/** The ids of the verified backups in each destination. */
async function listed(): Promise<string[][]> {
  const stores = JSON.parse(await shell(`${(await job()).list} --json`)) as Listed[];
  return stores.map(({ backups }) => backups.filter(({ state }) => state === "verified").map(({ id }) => id));
}

async function expectBackups(count: number): Promise<void> {
  await shell((await job()).run);
  const [own = [], share = []] = await listed();
  expect(own).toHaveLength(count);
  expect(share).toEqual(own);
}

const oldFolders = () => [
  `filesystem: ${folder.path}/host/backups/dev/app`,
  `filesystem: ${folder.path}/share/dev/app`,
];

describe("a stack that is renamed, on the real engine", () => {
  it("has a first backup", { timeout: UP_MS }, async () => {
    await stack.up();
    await expectBackups(1);
    await stack.preview({ expectNoChanges: true });
  });

  it("lists its old backups and goes on beside them, under one retention", { timeout: UP_MS }, async () => {
    await stack.rename({ stack: "prod" });
    await stack.configure(configOf());
    const { steps } = await stack.up();
    expect(steps.filter(({ op }) => /replace|delete/.test(op))).toEqual([]);
    expect((await job()).backups).toEqual(oldFolders());
    expect((await listed()).map((ids) => ids.length)).toEqual([1, 1]);
    await expectBackups(2);
    expect(readdirSync(join(folder.path, "share")).sort()).toEqual([".provision-store", "dev"]);
    await stack.preview({ expectNoChanges: true });
  });

  it("keeps them when its project is renamed too", { timeout: UP_MS }, async () => {
    await stack.rename({ project: "storefront" });
    await stack.configure(configOf());
    await stack.up();
    await expectBackups(3);
    await expectBackups(3);
    expect((await job()).backups).toEqual(oldFolders());
  });

  it("stays bound to them under another name of its component", { timeout: UP_MS }, async () => {
    component = "machine";
    await stack.up();
    expect((await job()).backups).toEqual(oldFolders());
    component = "host";
    await stack.up();
  });

  it("keeps its folder from a new stack that takes its former name", { timeout: UP_MS }, async () => {
    const other = await engine.stack({ config: configOf(join(folder.path, "second")), program });
    await other.up();
    const before = readdirSync(join(folder.path, "share/dev/app")).sort();
    const error = (await shell((await job(other)).run).catch((failed: unknown) => failed)) as {
      readonly code: number;
      readonly stderr: string;
    };
    // Its own directory got the backup; the share, whose folder is the other stack's, did not.
    expect(error.code).toBe(3);
    expect(error.stderr).toContain("dev/app in filesystem");
    expect(error.stderr).toContain('is that of the stack \\"storefront/prod\\"');
    expect(error.stderr).toContain("provision backup --adopt");
    expect(readdirSync(join(folder.path, "share/dev/app")).sort()).toEqual(before);
    await other.destroy();
  });
});
