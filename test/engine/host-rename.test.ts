import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  secret,
  startEngine,
  type Engine,
  type EngineStack,
  type Outcome,
  type StackConfig,
} from "../../tools/engine.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { makeCrontabUser, type CrontabUser } from "../helpers/crontab.ts";
import type { Listed } from "../helpers/reports.ts";
import { TemporaryFolder } from "../helpers/script.ts";

const program = fileURLToPath(new URL("../../index.ts", import.meta.url));
const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** A backup of the smallest sample takes seconds. */
const RUN_MS = 60_000;
const UP_MS = 180_000;

let engine: Engine;
let postgres: Postgres;
let folder: TemporaryFolder;
let user: CrontabUser | undefined;
let stack: EngineStack;
let directory: string;

/** The stack with its only job under a name, which keeps two backups. */
function configOf(job: { readonly name: string; readonly rename?: StackConfig }, removeBackups = false): StackConfig {
  return {
    target: "host",
    secrets: { appUrl: secret(postgres.url("shop")), drillUrl: secret(postgres.url("postgres")) },
    jobs: [
      {
        ...job,
        schedule: { cron: "0 3 * * *", timezone },
        database: { kind: "postgres", url: { secret: "appUrl" } },
        destinations: [{ kind: "filesystem" }],
        retention: { last: 2 },
        drill: { target: { secret: "drillUrl" }, schedule: { cron: "0 6 * * 0", timezone } },
      },
    ],
    host: {
      directory,
      removeBackupsOnDestroy: removeBackups,
      // Only root can have a crontab of a user for the test.
      ...(user === undefined ? { scheduler: "none" } : { scheduler: "crontab", user: user.name }),
    },
  };
}

beforeAll(async () => {
  folder = new TemporaryFolder();
  directory = join(folder.path, "host");
  [engine, postgres, user] = await Promise.all([startEngine(), startPostgres(), makeCrontabUser()]);
  await createSampleDatabase(postgres.url("shop"), { megabytes: 1 });
  stack = await engine.stack({ config: configOf({ name: "app" }), program });
}, UP_MS);
afterAll(async () => {
  user?.remove();
  await Promise.all([engine.stop(), postgres.stop()]);
  folder.remove();
});

interface Commands {
  readonly run: string;
  readonly list: string;
  readonly backups: readonly string[];
}

/** The outputs of the job, which is the only one. */
async function job(name: string): Promise<Commands> {
  const jobs = (await stack.outputs()).jobs?.value as Record<string, Commands>;
  expect(Object.keys(jobs)).toEqual([name]);
  return jobs[name] ?? expect.fail();
}

/** The entries of the crontab, each by the name at its end; empty where the test has no crontab. */
function crontab(): Record<string, string> {
  const lines = (user?.read() ?? "").split("\n").filter((line) => line !== "");
  return Object.fromEntries(
    lines.map((line) => {
      const [, command = "", name = ""] = /^(?:\S+ ){5}(.*) # (\S+) [0-9a-f]+\.[0-9a-f]+ \S+$/.exec(line) ?? [];
      return [name, command.replaceAll("\\%", "%")];
    }),
  );
}

/** Runs a command of the machine with as little around it as cron gives; as root, who may read the user's files too. */
async function onMachine(command: string): Promise<string> {
  const own = user === undefined ? command : command.replace(`sudo -u ${user.name} env `, "");
  const env = { PATH: process.env.PATH, HOME: folder.path };
  return (await promisify(execFile)("/bin/sh", ["-c", own], { env, timeout: RUN_MS })).stdout;
}

/** Makes a backup as the job's schedule does. A failure would be printed, for the mail that cron sends. */
async function runOnSchedule(name: string): Promise<void> {
  const command = user === undefined ? (await job(name)).run : crontab()[`provision.dev.${name}`];
  const printed = await onMachine(command ?? expect.fail());
  if (user !== undefined) expect(printed).toBe("");
}

/** The ids of the job's verified backups, the oldest first, by the command of its outputs. */
async function listed(name: string): Promise<string[]> {
  const [store] = JSON.parse(await onMachine(`${(await job(name)).list} --json`)) as Listed[];
  expect(store?.backups.map(({ state }) => state)).toEqual(store?.backups.map(() => "verified"));
  return (store?.backups ?? []).map(({ id }) => id).sort();
}

/** The steps that did something to the machine. */
function did({ steps }: Outcome): string[] {
  return steps
    .filter(({ type }) => type.startsWith("command:"))
    .map(({ op, name }) => `${op} ${name}`)
    .sort();
}

const timers = (name: string) => (user === undefined ? [] : [`provision.dev.${name}`, `provision.dev.${name}.drill`]);

describe("a job that is renamed on a host, on the real engine", () => {
  const backups: string[] = [];

  it("has a first backup, by its schedule", { timeout: UP_MS }, async () => {
    await stack.up();
    expect(Object.keys(crontab()).sort()).toEqual(timers("app"));
    await runOnSchedule("app");
    backups.push(...(await listed("app")));
    expect(backups).toHaveLength(1);
    expect(readdirSync(join(directory, "backups/dev"))).toEqual(["app"]);
  });

  it(
    "gets a file and timers of the new name alone: what holds history is not touched",
    { timeout: UP_MS },
    async () => {
      await stack.configure(configOf({ name: "shop", rename: { from: "app" } }));
      const preview = await stack.preview();
      const steps = [
        "create host-shop-drill-schedule-timer",
        "create host-shop-file",
        "create host-shop-schedule-timer",
        "delete host-app-drill-schedule-timer",
        "delete host-app-file",
        "delete host-app-schedule-timer",
      ];
      expect(did(preview)).toEqual(steps);
      expect(Object.keys(crontab()).sort()).toEqual(timers("app"));
      expect(did(await stack.up())).toEqual(steps);
      expect(Object.keys(crontab()).sort()).toEqual(timers("shop"));
      expect(readdirSync(join(directory, "jobs")).sort()).toEqual([".provision", "shop.json"]);
      expect((await job("shop")).backups).toEqual([`filesystem: ${directory}/backups/dev/app`]);
      await stack.preview({ expectNoChanges: true });
    },
  );

  it(
    "lists the old backups under the new name, and prunes old and new ones by one retention",
    { timeout: UP_MS },
    async () => {
      expect(await listed("shop")).toEqual(backups);
      for (const kept of [2, 2]) {
        await runOnSchedule("shop");
        const now = await listed("shop");
        expect(now).toHaveLength(kept);
        backups.push(...now.filter((id) => !backups.includes(id)));
        expect(now).toEqual(backups.slice(-2));
      }
      // The last run has removed the only backup of the old name.
      expect(backups).toHaveLength(3);
      expect(readdirSync(join(directory, "backups/dev"))).toEqual(["app"]);
      if (user !== undefined) expect(readdirSync(join(directory, "logs")).sort()).toEqual(["app.log", "shop.log"]);
    },
  );

  it("is renamed again, with both earlier names", { timeout: UP_MS }, async () => {
    await stack.configure(configOf({ name: "store", rename: { from: ["app", "shop"] } }, true));
    const steps = did(await stack.up());
    expect(steps.filter((step) => !/ host-(shop|store)-/.test(step))).toEqual([
      "create host-backups-kept",
      "update host-backups-paths",
    ]);
    expect(Object.keys(crontab()).sort()).toEqual(timers("store"));
    expect(await listed("store")).toEqual(backups.slice(-2));
  });

  it(
    "has its backups removed with the stack where that is set, from the folder of its first name",
    { timeout: UP_MS },
    async () => {
      await stack.destroy();
      expect(crontab()).toEqual({});
      expect(existsSync(join(directory, "backups"))).toBe(false);
    },
  );
});
