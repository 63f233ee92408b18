import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { emptyDatabase, sql } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { canSeeProcesses, processes } from "../helpers/processes.ts";
import { printed } from "../helpers/reports.ts";
import { Sandbox, type Running } from "../helpers/sandbox.ts";
import { WebhookReceiver } from "../../tools/services/webhook-receiver.ts";

// Runs that hang, each in another way, in a clock that makes minutes of seconds: they all end, and say so.

/** Much longer than the hurried clock needs, and shorter than a hang. */
const LIMIT_MS = 50_000;

let postgres: Postgres;
let receiver: WebhookReceiver;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "shop");
  await sql(postgres, "shop", "CREATE TABLE orders AS SELECT generate_series(1, 100) AS n");
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  receiver = new WebhookReceiver("the-key-of-the-check");
  await receiver.start();
  sandbox = new Sandbox(postgres.url("shop"), {
    timeoutMinutes: 1,
    monitor: [{ kind: "webhook", url: { env: "HEARTBEAT" } }],
  });
  Object.assign(sandbox.environment, {
    HEARTBEAT: receiver.url,
    NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, "preload/hang.ts")).href}`,
  });
});
afterEach(async () => {
  sandbox.remove();
  await receiver.stop();
});

/** What the service heard, without what was told again because its answer was late. */
const signals = () => [...new Set(receiver.pings.map(({ signal }) => signal))];

/** Starts a command whose database URL is read from a file that never gives it. */
function startHanging(file: string, command = "backup"): Running {
  sandbox.job.database = { kind: "postgres", url: { file: join(sandbox.path, file) } };
  if (file === "pipe") execFileSync("mkfifo", [join(sandbox.path, file)]);
  return sandbox.start(command, "--json");
}

/** How the process ends by itself. */
async function endOf(run: Running): Promise<{ code: number | null; message: string; stderr: string }> {
  const timer = setTimeout(() => run.child.kill("SIGKILL"), LIMIT_MS);
  const { code, stdout, stderr } = await run.ended;
  clearTimeout(timer);
  const { error } = JSON.parse(stdout === "" ? '{"error":{"message":""}}' : stdout) as { error: { message: string } };
  return { code, message: error.message, stderr };
}

describe("a run ends that waits for ever", () => {
  it("for a thread that waits for a file, at its time limit", async () => {
    const { code, message, stderr } = await endOf(startHanging("pipe"));
    expect(code, stderr).toBe(4);
    expect(message).toBe(
      "The run was ended after 1 minute. It was ended by force, as it went on for 30 s more. Under way: backup, connect.",
    );
    expect(stderr).toContain(message);
    expect(signals()).toEqual(["start", "fail"]);
    expect(receiver.pings.at(-1)?.body).toContain(message);
  }, 60_000);

  it("for a thread that waits for a file, some time after SIGTERM", async () => {
    const run = startHanging("pipe");
    await eventually(() => {
      expect(signals()).toEqual(["start"]);
    });
    run.child.kill("SIGTERM");
    const { code, message, stderr } = await endOf(run);
    expect(code, stderr).toBe(143);
    expect(message).toMatch(/^Interrupted by SIGTERM. It was ended by force.* Under way: backup, connect\.$/);
    expect(signals()).toEqual(["start", "fail"]);
  }, 60_000);

  it("for nothing, with nothing left to wait for", async () => {
    const { code, message, stderr } = await endOf(startHanging("never"));
    expect(code, stderr).toBe(1);
    expect(message).toMatch(
      /stopped before its work was done: nothing is left that it waits for.*: backup, connect\.$/,
    );
    expect(signals()).toEqual(["start", "fail"]);
  }, 60_000);

  it("in a loop that is blocked, at its time limit", async () => {
    const { code, stderr } = await endOf(startHanging("blocked"));
    expect(code, stderr).toBe(4);
    expect(stderr).toMatch(/after 1 minute.*by force.*event loop was blocked\. Under way: backup, connect\.\nFix: /);
    expect(signals()).toEqual(["start", "fail"]);
  }, 60_000);

  it("of a command that no monitor hears of", async () => {
    sandbox.job.destinations = [{ kind: "s3", bucket: "backups", region: "eu-west-1", ...keysIn("never") }];
    const { code, message, stderr } = await endOf(sandbox.start("list", "--json"));
    expect(code, stderr).toBe(1);
    expect(message).toMatch(/stopped before its work was done: nothing is left that it waits for\.$/);
    expect(signals()).toEqual([]);
  }, 60_000);
});

const keysIn = (name: string) => ({
  accessKeyId: { file: join(sandbox.path, name) },
  secretAccessKey: { file: join(sandbox.path, name) },
});

it.runIf(canSeeProcesses("what a run leaves behind that was ended by force is not looked for"))(
  "a run that is ended ends its programs with all that they have started, and gives its lock back",
  async () => {
    delete sandbox.environment.NODE_OPTIONS;
    const mark = `3${process.pid}`;
    const left = () => processes().filter(({ command }) => command === `sleep ${mark}`);
    // It does not end at SIGTERM, and a process of its own holds its standard error.
    sandbox.replaceClient("pg_dump", postgres.binDirectory, `trap '' TERM; sleep ${mark} & sleep ${mark}`);
    const run = sandbox.start("backup", "--json");
    await eventually(() => {
      expect(left().length).toBe(2);
    });
    run.child.kill("SIGTERM");
    const { code, message, stderr } = await endOf(run);
    expect(code, stderr).toBe(143);
    expect(message).toBe("Interrupted by SIGTERM.");
    expect(signals()).toEqual(["start", "fail"]);
    await eventually(() => {
      expect(left()).toEqual([]);
    });
    delete (sandbox.job.database as { clients?: string }).clients;
    printed(await sandbox.run("backup", "--json"));
  },
  60_000,
);

it("a second signal ends a run at once", async () => {
  const run = startHanging("pipe");
  await eventually(() => {
    expect(signals()).toEqual(["start"]);
  });
  run.child.kill("SIGINT");
  await sleep(200);
  const begun = performance.now();
  run.child.kill("SIGINT");
  await once(run.child, "exit");
  expect(performance.now() - begun).toBeLessThan(2_000);
  expect((await endOf(run)).code).toBe(130);
}, 60_000);
