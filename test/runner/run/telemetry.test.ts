import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Check } from "../../../providers/database/database.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { emptyDatabase, sql } from "../../helpers/databases.ts";
import { describeEnvelopes } from "../../helpers/envelopes.ts";
import { printed } from "../../helpers/reports.ts";
import { Sandbox, type Ended, type Running } from "../../helpers/sandbox.ts";
import { makeDumpHang } from "../../helpers/slow-dump.ts";
import { SentryIngest } from "../../../tools/services/sentry-ingest.ts";
import { WebhookReceiver } from "../../../tools/services/webhook-receiver.ts";

let postgres: Postgres;
let url: string;
let ingest: SentryIngest;
let receiver: WebhookReceiver;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  url = await emptyDatabase(postgres, "shop");
  await sql(
    postgres,
    "shop",
    "CREATE TABLE orders AS SELECT n, repeat('x', 100) AS text FROM generate_series(1, 1000) n",
  );
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  ingest = new SentryIngest("public");
  receiver = new WebhookReceiver("key-of-the-check");
  await Promise.all([ingest.start(), receiver.start()]);
  sandbox = new Sandbox(url, {
    schedule: { cron: "0 3 * * *", timezone: "America/Sao_Paulo" },
    timeoutMinutes: 120,
    monitor: [
      { kind: "sentry", dsn: { env: "DSN" } },
      { kind: "webhook", url: { env: "HEARTBEAT" } },
    ],
  });
  Object.assign(sandbox.environment, { DSN: ingest.dsn, HEARTBEAT: receiver.url });
});
afterEach(async () => {
  sandbox.remove();
  await Promise.all([ingest.stop(), receiver.stop()]);
  expect([...ingest.refusals, ...receiver.refusals]).toEqual([]);
});

const envelopes = () => describeEnvelopes(ingest, { [sandbox.path]: "<sandbox>" });
const signals = () => receiver.pings.map(({ signal }) => signal);
const expectCode = ({ code, stderr }: Ended, expected: number) => {
  expect(code, stderr).toBe(expected);
};

/** Starts a backup whose pg_dump never ends, and waits until the services know that it has begun. */
async function startHanging(): Promise<Running & { release(): void }> {
  const dump = makeDumpHang(sandbox, postgres.binDirectory);
  const running = sandbox.start("backup");
  await dump.begun();
  while (ingest.checkIns.length + receiver.pings.length < 2) await sleep(10);
  return {
    ...running,
    release: () => {
      dump.release();
    },
  };
}

/** Makes the runner's process load a script first. */
function preload(script: string) {
  const file = join(sandbox.path, "preload.mjs");
  writeFileSync(file, script);
  sandbox.environment.NODE_OPTIONS = `--import=${file}`;
}

describe("the exact envelopes", () => {
  it("of a good run", async () => {
    expectCode(await sandbox.run("backup"), 0);
    expect(ingest.checkIns.map(({ status }) => status)).toEqual(["in_progress", "ok"]);
    expect(signals()).toEqual(["start", "success"]);
    expect(envelopes()).toMatchSnapshot();
  });

  it("of a partial run", async () => {
    writeFileSync(join(sandbox.path, "file"), "no folder");
    const unusable = { kind: "filesystem", path: join(sandbox.path, "file/below") };
    sandbox.job.destinations = [...(sandbox.job.destinations as object[]), unusable];
    expectCode(await sandbox.run("backup"), 3);
    expect(ingest.checkIns.map(({ status }) => status)).toEqual(["in_progress", "error"]);
    expect(signals()).toEqual(["start", "fail"]);
    expect(envelopes()).toMatchSnapshot();
  });

  it("of a failed run", async () => {
    sandbox.environment.APP_URL = url.replace(postgres.password, "wrong");
    const ended = await sandbox.run("backup");
    expectCode(ended, 4);
    expect(ingest.checkIns.map(({ status }) => status)).toEqual(["in_progress", "error"]);
    expect(signals()).toEqual(["start", "fail"]);
    expect(envelopes()).toMatchSnapshot();
  });

  it("of a killed run: one check-in, which the service itself will find too old", async () => {
    const running = await startHanging();
    running.child.kill("SIGKILL");
    expect((await running.ended).signal).toBe("SIGKILL");
    running.release();
    expect(signals()).toEqual(["start"]);
    expect(envelopes()).toMatchSnapshot();
    expect(ingest.checkIns).toMatchObject([{ status: "in_progress", monitor_config: { max_runtime: 120 } }]);
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)("of a run interrupted by %s", async (signal, code) => {
    const running = await startHanging();
    running.child.kill(signal);
    expectCode(await running.ended, code);
    running.release();
    expect(ingest.checkIns.map(({ status }) => status)).toEqual(["in_progress", "error"]);
    expect(signals()).toEqual(["start", "fail"]);
    expect(envelopes()).toMatchSnapshot();
  });
});

describe("the whole run is one trace", () => {
  it("with a span for each step and each store", async () => {
    sandbox.job.destinations = ["a", "b"].map((name) => ({ kind: "filesystem", path: join(sandbox.path, name) }));
    expectCode(await sandbox.run("backup"), 0);
    const names = new Map(ingest.spans.map(({ span_id, name }) => [span_id, name]));
    const tree = ingest.spans.map(({ name, parent_span_id }) => `${names.get(parent_span_id ?? "") ?? "-"} > ${name}`);
    expect(tree.sort()).toEqual([
      "- > backup",
      ...Array<string>(2).fill("backup > commit"),
      "backup > connect",
      ...Array<string>(2).fill("backup > dump"),
      ...Array<string>(2).fill("backup > lease"),
      ...Array<string>(2).fill("backup > prune"),
      ...Array<string>(2).fill("backup > verify"),
      ...Array<string>(4).fill("dump > store"),
    ]);
    expect(new Set(ingest.spans.map(({ trace_id }) => trace_id)).size).toBe(1);
    for (const { name, attributes } of ingest.spans) {
      if (!["store", "dump", "verify"].includes(name)) continue;
      for (const fact of ["bytes", "objects", "bytesPerSecond"]) expect(attributes[fact]?.value).toBeGreaterThan(0);
    }
  });
});

describe("an error", () => {
  it("of all destinations is reported once, with the destination and the step", async () => {
    writeFileSync(join(sandbox.path, "file"), "no folder");
    sandbox.job.destinations = [{ kind: "filesystem", path: join(sandbox.path, "file/below") }];
    const ended = await sandbox.run("backup");
    expect(ended.code).not.toBe(0);
    expect(ingest.events.map(({ tags }) => [tags.step, tags.provider, tags.destination])).toEqual([
      ["store", "filesystem", `filesystem ${join(sandbox.path, "file/below")}`],
    ]);
  });

  it("of another run that holds the lock is reported too", async () => {
    const running = await startHanging();
    expectCode(await sandbox.run("backup"), 6);
    expect(ingest.events).toMatchObject([{ tags: { step: "connect", provider: "postgres", code: "CONFLICT" } }]);
    running.child.kill("SIGTERM");
    await running.ended;
    running.release();
  });
});

describe("the age of the newest verified backup", () => {
  const ages = () => ingest.metrics.filter(({ name }) => name === "provision.newest_verified_age");

  it("is reported by a run that fails, for the one before it", async () => {
    expectCode(await sandbox.run("backup"), 0);
    const begun = Date.now();
    sandbox.environment.APP_URL = url.replace(postgres.password, "wrong");
    expectCode(await sandbox.run("backup"), 4);
    const [first, second] = ages().map(({ value }) => value);
    expect(first).toBeLessThan(30);
    expect(second).toBeGreaterThanOrEqual(Math.floor((Date.now() - begun) / 1000));
  });

  it("is not told where there is none", async () => {
    expectCode(await sandbox.run("backup", "--no-verify"), 0);
    expect(ages()).toEqual([]);
  });
});

describe("a defect of the program", () => {
  it("is reported, and the process still ends with 1", async () => {
    const dump = makeDumpHang(sandbox, postgres.binDirectory);
    const file = JSON.stringify(join(sandbox.path, "begun"));
    preload(`
      import { existsSync } from "node:fs";
      const timer = setInterval(() => {
        if (!existsSync(${file})) return;
        clearInterval(timer);
        Promise.reject(new TypeError("undefined is no function"));
      }, 20);
      timer.unref();
    `);
    expectCode(await sandbox.run("backup"), 1);
    dump.release();
    expect(ingest.checkIns.map(({ status }) => status)).toEqual(["in_progress", "error"]);
    expect(signals()).toEqual(["start", "fail"]);
    expect(ingest.events).toMatchObject([
      { tags: { code: "INTERNAL" }, exception: { values: [{ type: "TypeError", value: "undefined is no function" }] } },
    ]);
  });
});

describe("the SDK", () => {
  const loaded = async (): Promise<string[]> => {
    const list = join(sandbox.path, "loaded.json");
    preload(`
      import { writeFileSync } from "node:fs";
      import { registerHooks } from "node:module";
      const loaded = new Set();
      registerHooks({
        load(url, context, next) {
          const inside = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url);
          if (inside) loaded.add(inside[1]);
          return next(url, context);
        },
      });
      process.on("exit", () => writeFileSync(${JSON.stringify(list)}, JSON.stringify([...loaded])));
    `);
    expectCode(await sandbox.run("backup"), 0);
    return JSON.parse(readFileSync(list, "utf8")) as string[];
  };

  it("is not loaded without the monitor", async () => {
    sandbox.job.monitor = [];
    const packages = await loaded();
    expect(packages).toContain("zod");
    expect(packages.filter((name) => /sentry|opentelemetry/.test(name))).toEqual([]);
  });

  it("is loaded with it", async () => {
    expect(await loaded()).toContain("@sentry/node");
  });
});

describe("a wrong secret of a monitor ends the run before it begins", () => {
  it.each([
    ["DSN", "https://sentry.example.com/42"],
    ["HEARTBEAT", "example.com/key"],
  ])("%s", async (name, value) => {
    sandbox.environment[name] = value;
    const ended = await sandbox.run("backup");
    expectCode(ended, 2);
    expect(ended.stderr).toMatch(/\nFix: /);
    expect(ended.stderr).not.toContain(value);
    expect([...ingest.received, ...receiver.received]).toEqual([]);
  });
});

describe("doctor", () => {
  it("sends a test event, a test check-in and a test message, and says where they are", async () => {
    const checks = printed(await sandbox.run("doctor", "--json")) as Check[];
    const [first, second] = checks.filter(({ name }) => name.startsWith("monitor"));
    expect(first).toMatchObject({ name: "monitor 0, sentry", ok: true });
    expect(first?.detail).toContain(`id ${String(ingest.events[0]?.event_id)}`);
    expect(first?.detail).toContain(`monitor ${String(ingest.checkIns[0]?.monitor_slug)}`);
    expect(ingest.checkIns).toMatchObject([{ monitor_slug: "test_app_doctor" }]);
    expect(second).toMatchObject({ name: "monitor 1, webhook", ok: true });
    expect(signals()).toEqual(["log"]);
  });

  it("says which monitor does not work", async () => {
    await ingest.stop();
    const checks = printed(await sandbox.run("doctor", "--json"), 2) as Check[];
    expect(checks.filter(({ ok }) => !ok)).toMatchObject([
      { name: "monitor 0, sentry", detail: expect.stringContaining("ECONNREFUSED") as string },
    ]);
    expect(signals()).toEqual(["log"]);
  });
});
