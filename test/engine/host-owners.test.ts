import { execFile } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BackupHost } from "../../components/host/backup-host.ts";
import { readSettings } from "../../components/settings/settings.ts";
import type { Settings } from "../../components/settings/types.ts";
import { withSigning } from "../../components/signing-key.ts";
import {
  EngineError,
  secret,
  startEngine,
  type Engine,
  type EngineStack,
  type StackConfig,
} from "../../tools/engine.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { makeCrontabUser, type CrontabUser } from "../helpers/crontab.ts";
import { emptyDatabase } from "../helpers/databases.ts";
import { TemporaryFolder } from "../helpers/script.ts";

const UP_MS = 180_000;

let engine: Engine;
let postgres: Postgres;
let folder: TemporaryFolder;
let user: CrontabUser | undefined;

beforeAll(async () => {
  folder = new TemporaryFolder();
  [engine, postgres, user] = await Promise.all([startEngine(), startPostgres(), makeCrontabUser()]);
  await Promise.all(["shop", "crm"].map((name) => emptyDatabase(postgres, name)));
}, UP_MS);
afterAll(async () => {
  user?.remove();
  await Promise.all([engine.stop(), postgres.stop()]);
  folder.remove();
});

interface Wishes {
  readonly database?: string;
  /** Directory of the stack, below the test's folder. */
  readonly directory?: string;
  readonly job?: string;
  readonly host?: StackConfig;
}

function configOf({ database = "shop", directory = "host", job = "app", host = {} }: Wishes = {}): StackConfig {
  const settings: StackConfig = {
    target: "host",
    secrets: { databaseUrl: secret(postgres.url(database)) },
    jobs: [
      {
        name: job,
        schedule: { cron: "0 3 * * *", timezone: Intl.DateTimeFormat().resolvedOptions().timeZone },
        database: { kind: "postgres", url: { secret: "databaseUrl" } },
        destinations: [{ kind: "filesystem" }],
        retention: { last: 3 },
      },
    ],
    host: {
      directory: join(folder.path, directory),
      // Only root can have a crontab of a user for the test.
      ...(user === undefined ? { scheduler: "none" } : { scheduler: "crontab", user: user.name }),
      ...host,
    },
  };
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [`provision:${key}`, value]));
}

/** A program with host components of these names, each of which has all settings of the stack. */
function programOf(...names: readonly string[]) {
  return () => {
    const { settings } = withSigning(readSettings());
    const hosts = names.map((name) => new BackupHost(name, settings as Extract<Settings, { target: "host" }>));
    return Promise.resolve({ jobs: hosts[0]?.jobs });
  };
}

function project(name: string, wishes?: Wishes): Promise<EngineStack> {
  return engine.stack({ project: name, config: configOf(wishes), program: programOf("host") });
}

interface Commands {
  readonly run: string;
}

/** Makes a backup by the command of the stack's outputs, as root. */
async function backUp(stack: EngineStack): Promise<void> {
  const { app } = (await stack.outputs()).jobs?.value as { readonly app: Commands };
  const command = user === undefined ? app.run : app.run.replace(`sudo -u ${user.name} env `, "");
  await promisify(execFile)("/bin/sh", ["-c", command], { timeout: 60_000 });
}

/** The databases whose backups a directory has, by their manifests. */
function databases(directory: string): string[] {
  const manifests = readdirSync(join(folder.path, directory), { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith("/manifest.json"),
  );
  return manifests.map((path) => {
    const text = readFileSync(join(folder.path, directory, path), "utf8");
    return (JSON.parse(text) as { readonly database: { readonly name: string } }).database.name;
  });
}

/** The directories that the crontab's lines name, each once; those expected where the test has no crontab. */
function scheduled(expected: readonly string[]): readonly string[] {
  if (user === undefined) return expected;
  const lines = user
    .read()
    .split("\n")
    .filter((line) => line !== "");
  return lines.map((line) => line.split(folder.path)[1]?.split("/")[1] ?? line);
}

/** What an operation that must fail has printed. */
async function refusal(doing: Promise<unknown>): Promise<string> {
  const error: unknown = await doing.then(
    () => undefined,
    (failed: unknown) => failed,
  );
  expect(error).toBeInstanceOf(EngineError);
  return (error as EngineError).output;
}

/** What a directory holds for the stack that has it. */
const held = (directory: string) =>
  ["secrets.json", "jobs/app.json", ".owner"].filter((path) => existsSync(join(folder.path, directory, path)));
const ALL = ["secrets.json", "jobs/app.json", ".owner"];

describe("two projects on one machine, with the same names of stack and job", () => {
  let shop: EngineStack;
  let crm: EngineStack;
  afterAll(() => {
    rmSync(join(folder.path, "host"), { recursive: true, force: true });
  });

  it("refuses the second its crontab line, and leaves the first scheduled", { timeout: UP_MS }, async (context) => {
    shop = await project("shop");
    await shop.up();
    crm = await project("crm", { database: "crm", directory: "second" });
    if (user === undefined) context.skip("Only root can have a crontab of a user for the test.");
    const output = await refusal(crm.up());
    expect(output).toContain("organization/shop/dev/host, and not of organization/crm/dev/host");
    expect(output).toContain("Give the stack or the job another name. To take it over, set provision:host.adopt");
    expect(scheduled(["host"])).toEqual(["host"]);
    expect(held("host")).toEqual(ALL);
  });

  it(
    "refuses the second the first's directory, where neither secret nor job is overwritten",
    { timeout: UP_MS },
    async () => {
      const before = ALL.map((path) => readFileSync(join(folder.path, "host", path), "utf8"));
      await crm.configure(configOf({ database: "crm" }));
      const output = await refusal(crm.up());
      expect(output).toContain(`The folder ${folder.path}/host`);
      expect(output).toContain("Set provision:host.directory to another folder.");
      expect(ALL.map((path) => readFileSync(join(folder.path, "host", path), "utf8"))).toEqual(before);
      await backUp(shop);
      expect(databases("host")).toEqual(["shop"]);
      await shop.preview({ expectNoChanges: true });
    },
  );

  it("lets the second be destroyed without a loss of the first", { timeout: UP_MS }, async () => {
    await crm.destroy();
    expect(held("host")).toEqual(ALL);
    expect(scheduled(["host"])).toEqual(["host"]);
    await backUp(shop);
  });

  it(
    "hands over to the one that adopts, and the first changes and removes nothing of it",
    { timeout: UP_MS },
    async () => {
      const adopting = await project("billing", { database: "crm", host: { adopt: true } });
      await adopting.up();
      const owner = readFileSync(join(folder.path, "host/.owner"), "utf8");
      expect(owner).toContain("organization/billing/dev/host");
      await adopting.configure(configOf({ database: "crm" }));
      await adopting.up();

      await shop.configure(configOf({ database: "postgres", host: { removeBackupsOnDestroy: true } }));
      expect(await refusal(shop.up())).toContain(
        "organization/billing/dev/host, and not of organization/shop/dev/host",
      );
      await shop.destroy();
      expect(readFileSync(join(folder.path, "host/.owner"), "utf8")).toBe(owner);
      expect(scheduled(["host"])).toEqual(["host"]);
      expect(databases("host")).toEqual(["shop", "shop"]);
      await adopting.preview({ expectNoChanges: true });
      await adopting.destroy();
      expect(scheduled([])).toEqual([]);
    },
  );
});

describe("a component of one program", () => {
  it("keeps all that it has installed, and its backups, when it is renamed", { timeout: UP_MS }, async () => {
    const names = ["host"];
    const wishes = { host: { removeBackupsOnDestroy: true } };
    const stack = await engine.stack({ config: configOf(wishes), program: () => programOf(...names)() });
    await stack.up();
    await backUp(stack);
    names[0] = "machine";
    await stack.up();
    expect(held("host")).toEqual(ALL);
    expect(scheduled(["host"])).toEqual(["host"]);
    await backUp(stack);
    expect(databases("host")).toEqual(["shop", "shop"]);
    await stack.preview({ expectNoChanges: true });
    await stack.destroy();
    expect(scheduled([])).toEqual([]);
    expect(existsSync(join(folder.path, "host"))).toBe(false);
  });

  it("is refused the directory of another one", { timeout: UP_MS }, async () => {
    const stack = await engine.stack({
      config: configOf({ host: { scheduler: "none" } }),
      program: programOf("shop", "crm"),
    });
    const output = await refusal(stack.up());
    expect(output).toContain("Two components of this program use");
    await stack.destroy();
  });
});
