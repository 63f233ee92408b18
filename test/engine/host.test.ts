import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JobConfig } from "../../providers/config.ts";
import { secret, startEngine, type Engine, type EngineStack, type StackConfig } from "../../tools/engine.ts";
import { makeCrontabUser, type CrontabUser } from "../helpers/crontab.ts";
import { TemporaryFolder } from "../helpers/script.ts";

const program = fileURLToPath(new URL("../../index.ts", import.meta.url));
const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const markers = ["pg-m4rker-0ne", "pg-m4rker-tw0", "unused-m4rker"];

/** Every form in which a secret might stand in a text: as it is, and in base64 at each of the three offsets. */
function formsOf(marker: string): string[] {
  const inBase64 = [0, 1, 2].map((offset) =>
    // The first and last groups depend on what stands around the marker.
    Buffer.from(" ".repeat(offset) + marker)
      .toString("base64")
      .slice(4, -4),
  );
  return [marker, ...inBase64];
}

let engine: Engine;
let folder: TemporaryFolder;
let user: CrontabUser | undefined;

beforeAll(async () => {
  engine = await startEngine();
  folder = new TemporaryFolder();
  user = await makeCrontabUser();
});
afterAll(async () => {
  user?.remove();
  folder.remove();
  await engine.stop();
});

interface Wish {
  readonly directory: string;
  readonly cron?: string;
  readonly url?: string;
  readonly jobs?: readonly string[];
  readonly removeBackups?: boolean;
}

function configOf(wish: Wish): StackConfig {
  const jobs = (wish.jobs ?? ["app"]).map((name) => ({
    name,
    schedule: { cron: wish.cron ?? "0 3 * * *", timezone },
    database: { kind: "postgres", url: { secret: "appUrl" } },
    destinations: [{ kind: "filesystem" }],
  }));
  return {
    target: "host",
    secrets: { appUrl: secret(wish.url ?? `postgres://u:${markers[0] ?? ""}@db/app`), other: secret(markers[2] ?? "") },
    jobs,
    host: {
      directory: wish.directory,
      removeBackupsOnDestroy: wish.removeBackups ?? false,
      // Only root can have a crontab of a user for the test.
      ...(user === undefined ? { scheduler: "none" } : { scheduler: "crontab", user: user.name }),
    },
  };
}

/** The steps that did something to the machine. */
function did(outcome: Awaited<ReturnType<EngineStack["up"]>>): string[] {
  return outcome.steps.filter(({ type }) => type.startsWith("command:")).map(({ op, name }) => `${op} ${name}`);
}

/** Puts a file where a backup would be; returns its path. */
function pretendBackup(root: string, stack: string, job: string): string {
  const path = join(root, stack, job, "2026-01-01T00-00-00Z-1", "manifest.json");
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "{}");
  return path;
}

describe("a stack of the host target, on the real engine", () => {
  let directory: string;
  let stack: EngineStack;
  let backup: string;
  const printed: string[] = [];
  const up = async (wish: Omit<Wish, "directory"> = {}) => {
    await stack.configure(configOf({ directory, ...wish }));
    const outcome = await stack.up();
    printed.push(outcome.output, await stack.exportState());
    return outcome;
  };
  const crontab = () => user?.read() ?? "";

  beforeAll(async () => {
    directory = join(folder.path, "one");
    stack = await engine.stack({ config: configOf({ directory }), program });
  });

  it("previews without touching the machine", async () => {
    const outcome = await stack.preview();
    printed.push(outcome.output);
    expect(outcome.summary.create).toBe(16);
    // It is the only warning, but for the one of a stand-in for a plugin; each is printed twice.
    const warnings = outcome.output.match(/warning: .*/g)?.filter((line) => !line.includes(" from $PATH "));
    expect([...new Set(warnings)]).toEqual([expect.stringContaining("Nothing uses the secret other.")]);
    expect(existsSync(directory)).toBe(false);
  });

  it("puts everything in place, for its user alone", async () => {
    await up();
    expect(JSON.parse(readFileSync(join(directory, "secrets.json"), "utf8"))).toEqual({
      appUrl: `postgres://u:${markers[0] ?? ""}@db/app`,
      provisionSigningKey: expect.stringMatching(/^provision-key-/) as string,
    });
    const job = JobConfig.parse(JSON.parse(readFileSync(join(directory, "jobs/app.json"), "utf8")));
    expect(job).toMatchObject({ name: "app", stack: "dev", destinations: [{ path: join(directory, "backups") }] });
    for (const name of ["secrets.json", "jobs/app.json"])
      expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
    for (const name of ["", "jobs", "logs", "backups"])
      expect(statSync(join(directory, name)).mode & 0o777).toBe(0o700);
    expect(readdirSync(directory).sort()).toEqual([".owner", "backups", "jobs", "logs", "secrets.json"]);
    const outputs = await stack.outputs();
    const { app } = outputs.jobs?.value as Record<string, Record<string, unknown>>;
    expect(app).toMatchObject({ backups: [`filesystem: ${directory}/backups/dev/app`] });
    expect(app?.run).toContain(`runner/cli.js backup --job ${directory}/jobs/app.json`);
    expect(app?.scheduled).toBe(user === undefined ? "none" : "crontab");
    if (user !== undefined) {
      expect(crontab()).toMatch(
        /^0 3 \* \* \* PROVISION_SECRETS_FILE=\S+ PROVISION_SCHEDULE='0 3 \* \* \* [\w/]+' \S+ \S+\/runner\/cli\.js backup .* # provision\.dev\.app [0-9a-f]{32}\.[0-9a-f]{12} \S+\n$/,
      );
    }
    backup = pretendBackup(join(directory, "backups"), "dev", "app");
  });

  it("changes nothing the second time", async () => {
    await stack.preview({ expectNoChanges: true });
    expect((await up()).steps).toEqual([]);
  });

  it("changes only the timer when the schedule changes", async () => {
    expect(did(await up({ cron: "30 4 * * *" }))).toEqual(["update host-app-schedule-timer"]);
    if (user !== undefined) expect(crontab()).toMatch(/^30 4 \* \* \* .*\n$/);
  });

  it("changes only the secrets file when a secret changes", async () => {
    const outcome = await up({ cron: "30 4 * * *", url: `postgres://u:${markers[1] ?? ""}@db/app` });
    expect(did(outcome)).toEqual(["update host-secrets-file"]);
    expect(readFileSync(join(directory, "secrets.json"), "utf8")).toContain(markers[1]);
    await up();
  });

  it("adds a job, and takes it away without its backups", async () => {
    expect(did(await up({ jobs: ["app", "web"] })).sort()).toEqual([
      "create host-web-file",
      "create host-web-schedule-timer",
    ]);
    const other = pretendBackup(join(directory, "backups"), "dev", "web");
    if (user !== undefined) expect(crontab().trim().split("\n")).toHaveLength(2);
    expect(did(await up()).sort()).toEqual(["delete host-web-file", "delete host-web-schedule-timer"]);
    expect(readdirSync(join(directory, "jobs"))).toEqual(["app.json"]);
    if (user !== undefined) expect(crontab()).toMatch(/^.* # provision\.dev\.app [0-9a-f]{32}\.[0-9a-f]{12} \S+\n$/);
    expect(existsSync(other)).toBe(true);
  });

  it("moves to another folder, leaving no secret and all backups in the old one", async () => {
    const old = directory;
    directory = join(folder.path, "two");
    await up({ removeBackups: true });
    expect(readdirSync(old)).toEqual(["backups"]);
    expect(existsSync(backup)).toBe(true);
    expect(readdirSync(directory).sort()).toEqual([".owner", "backups", "jobs", "logs", "secrets.json"]);
    await stack.preview({ expectNoChanges: true });
    backup = pretendBackup(join(directory, "backups"), "dev", "app");
    await up();
  });

  it("leaves the backups, and nothing else, when it is destroyed", async () => {
    printed.push((await stack.destroy()).output);
    expect(readdirSync(directory)).toEqual(["backups"]);
    expect(existsSync(backup)).toBe(true);
    expect(crontab()).toBe("");
  });

  it("removes its own backups with itself where it is configured to", async () => {
    await up({ removeBackups: true });
    const other = pretendBackup(join(directory, "backups"), "prod", "app");
    printed.push((await stack.destroy()).output);
    expect(existsSync(backup)).toBe(false);
    expect(existsSync(other)).toBe(true);
  });

  it("has shown no secret, neither in what it printed nor in its state", () => {
    expect(printed.length).toBeGreaterThan(15);
    const all = printed.join("\n");
    expect(all).toContain("host-secrets-file");
    for (const form of markers.flatMap(formsOf)) expect(all).not.toContain(form);
  });
});
