import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProviderError } from "../../../providers/errors.ts";
import type { MonitoredJob } from "../../../providers/monitor/monitor.ts";
import { sentry } from "../../../providers/monitor/sentry.ts";
import { describeMonitorContract, MARKER } from "../../contract/monitor.ts";
import { monitorContext } from "../../helpers/monitor-context.ts";
import { SentryIngest } from "../../../tools/services/sentry-ingest.ts";

// Each client listens for the end of the process; here there are many.
process.setMaxListeners(100);

const schedule = { cron: "0 3 * * *", timezone: "America/Sao_Paulo" };

async function open(ingest: SentryIngest, settings: object = {}, job: Partial<MonitoredJob> = { schedule }) {
  const context = await monitorContext({ dsn: ingest.dsn, marker: MARKER }, job);
  const config = sentry.schema.parse({ kind: "sentry", dsn: { env: "DSN" }, ...settings });
  return { monitor: await sentry.create(config, context), context };
}

describeMonitorContract("sentry", async () => {
  const service = new SentryIngest("public");
  await service.start();
  const { monitor, context } = await open(service);
  return { monitor, service, logged: () => JSON.stringify(context.lines()) };
});

let ingest: SentryIngest;
beforeEach(async () => {
  ingest = new SentryIngest("public");
  await ingest.start();
});
afterEach(async () => {
  expect(ingest.refusals).toEqual([]);
  await ingest.stop();
});

describe("errors", () => {
  const track = async (error: Error, context = {}) => {
    const { monitor } = await open(ingest);
    monitor.trackError(error, context);
    expect(await monitor.flush(2_000)).toBe(true);
  };

  it("carry the job, the step, the provider, the code and the fix", async () => {
    const where = { step: "store", provider: "filesystem", destination: "filesystem /srv", backup: "b1" };
    await track(new ProviderError("QUOTA", "full", { fix: "Free some.", cause: new Error("ENOSPC") }), where);
    expect(ingest.events).toMatchObject([
      {
        level: "error",
        environment: "prod",
        release: "provision@1.2.3",
        tags: { stack: "prod", job: "app", step: "store", provider: "filesystem", code: "QUOTA" },
        contexts: { backup: { backup: "b1", fix: "Free some." } },
        exception: { values: [{ type: "ProviderError", value: "full" }] },
      },
    ]);
  });

  it("of the same kind have the same fingerprint, whatever their messages say", async () => {
    const { monitor } = await open(ingest);
    monitor.trackError(new ProviderError("QUOTA", "1 byte"), { step: "store", backup: "b1" });
    monitor.trackError(new ProviderError("QUOTA", "2 bytes"), { step: "store", backup: "b2" });
    monitor.trackError(new ProviderError("AUTH", "2 bytes"), { step: "store", backup: "b2" });
    monitor.trackError(new ProviderError("QUOTA", "1 byte"), { step: "verify", backup: "b1" });
    await monitor.flush(2_000);
    const [first, second, ...others] = ingest.events.map(({ fingerprint }) => JSON.stringify(fingerprint));
    expect(second).toBe(first);
    expect(new Set([first, ...others]).size).toBe(3);
  });

  it("that are defects are grouped by where in the code they arose", async () => {
    const defect = new TypeError("undefined is no function");
    await track(new ProviderError("INTERNAL", defect.message, { cause: defect }));
    expect(ingest.events[0]?.fingerprint).toContain("{{ default }}");
    expect(ingest.events[0]?.exception?.values[0].type).toBe("TypeError");
  });

  it("name files relative to this program, and no other place of the machine", async () => {
    await track(new Error("x"));
    const files = ingest.events[0]?.exception?.values[0].stacktrace.frames.map(({ filename }) => filename);
    expect(files).toContain("app:///test/providers/monitor/sentry.test.ts");
  });

  it("that are large are compressed on the way", async () => {
    const long = "x".repeat(8_000);
    await track(new Error(long), { a: long, b: long, c: long, d: long, e: long });
    expect(ingest.received[0]?.headers["content-encoding"]).toBe("gzip");
    expect(ingest.events).toHaveLength(1);
  });
});

describe("a trace", () => {
  it("is one for the whole run, with a span below a span for each step", async () => {
    const { monitor } = await open(ingest);
    monitor.checkIn("in_progress", {});
    await monitor.measure("backup", {}, () =>
      monitor.measure("dump", { artifact: "database" }, async (span) => {
        span.set({ bytes: 3_000_000, objects: 1 });
        const store = (destination: string) => monitor.measure("store", { destination }, () => Promise.resolve());
        await Promise.all([store("a"), store("b")]);
        monitor.trackError(new Error("x"), {});
      }),
    );
    monitor.checkIn("ok", {});
    await monitor.flush(2_000);
    const ids = new Map(ingest.spans.map(({ span_id, name }) => [span_id, name]));
    const tree = ingest.spans.map(({ name, parent_span_id }) => [name, parent_span_id && ids.get(parent_span_id)]);
    expect(tree.sort()).toEqual([
      ["backup", undefined],
      ["dump", "backup"],
      ["store", "dump"],
      ["store", "dump"],
    ]);
    const dump = ingest.spans.find(({ name }) => name === "dump");
    expect(dump?.attributes).toMatchObject({
      artifact: { value: "database" },
      bytes: { value: 3_000_000 },
      objects: { value: 1 },
    });
    expect(dump?.attributes.bytesPerSecond?.value).toBeGreaterThan(0);
    expect(ingest.events[0]?.contexts.trace.span_id).toBe(dump?.span_id);
    const traces = [...ingest.spans, ...ingest.metrics].map(({ trace_id }) => trace_id);
    const contexts = [...ingest.events, ...ingest.checkIns].map(({ contexts: { trace } }) => trace.trace_id);
    expect(new Set([...traces, ...contexts]).size).toBe(1);
  });

  it("shows the code at which a step failed", async () => {
    const { monitor } = await open(ingest);
    await monitor.measure("dump", {}, () => Promise.reject(new ProviderError("AUTH", "no"))).catch(() => undefined);
    await monitor.flush(2_000);
    expect(ingest.spans).toMatchObject([
      { status: "error", attributes: { "sentry.status.message": { value: "AUTH" } } },
    ]);
  });

  it("is left out of the share of runs that send none", async () => {
    const { monitor } = await open(ingest, { tracesSampleRate: 0 });
    await monitor.measure("dump", {}, () => Promise.resolve());
    monitor.trackError(new Error("x"), {});
    await monitor.flush(2_000);
    expect(ingest.spans).toEqual([]);
    expect(ingest.events).toHaveLength(1);
  });

  it("is a trace of its own for each of two monitors", async () => {
    const other = new SentryIngest("other");
    await other.start();
    try {
      const [one, two] = [await open(ingest), await open(other)];
      await one.monitor.measure("backup", {}, () =>
        two.monitor.measure("backup", {}, () =>
          one.monitor.measure("dump", {}, () => two.monitor.measure("dump", {}, () => Promise.resolve())),
        ),
      );
      await Promise.all([one.monitor.flush(2_000), two.monitor.flush(2_000)]);
      for (const { spans } of [ingest, other]) {
        expect(spans.map(({ name, is_segment }) => [name, is_segment])).toEqual([
          ["dump", false],
          ["backup", true],
        ]);
      }
      expect(ingest.spans[0]?.trace_id).not.toBe(other.spans[0]?.trace_id);
      expect(other.refusals).toEqual([]);
    } finally {
      await other.stop();
    }
  });
});

describe("check-ins", () => {
  const run = async (status: "ok" | "partial" | "error", settings: object = {}, job?: Partial<MonitoredJob>) => {
    const { monitor } = await open(ingest, settings, job);
    monitor.checkIn("in_progress", {});
    monitor.checkIn(status, { seconds: 2.5 });
    await monitor.flush(2_000);
    return ingest.checkIns;
  };

  it.each([
    ["ok", "ok"],
    ["partial", "error"],
    ["error", "error"],
  ] as const)("of a run that ended as %s end as %s", async (status, expected) => {
    const [begin, end] = await run(status);
    expect([begin?.status, end?.status, end?.duration]).toEqual(["in_progress", expected, 2.5]);
    expect(end?.check_in_id).toBe(begin?.check_in_id);
  });

  it("bring the schedule and the limits of the job", async () => {
    const [begin, end] = await run("ok");
    expect(begin).toMatchObject({ monitor_slug: "prod_app", environment: "prod", release: "provision@1.2.3" });
    expect(begin?.monitor_config).toEqual({
      schedule: { type: "crontab", value: "0 3 * * *" },
      timezone: "America/Sao_Paulo",
      checkin_margin: 10,
      max_runtime: 120,
      failure_issue_threshold: 1,
      recovery_threshold: 1,
    });
    expect(end?.monitor_config).toEqual(begin?.monitor_config);
  });

  it("take every limit from the configuration", async () => {
    const limits = { checkinMargin: 5, maxRuntime: 60, failureIssueThreshold: 2, recoveryThreshold: 3 };
    const [begin] = await run("ok", { ...limits, slug: "mine", environment: "staging", release: "v1" });
    expect(begin).toMatchObject({
      monitor_slug: "mine",
      environment: "staging",
      release: "v1",
      monitor_config: { checkin_margin: 5, max_runtime: 60, failure_issue_threshold: 2, recovery_threshold: 3 },
    });
  });

  it("of long names do not share a monitor", async () => {
    const name = "a".repeat(40);
    await run("ok", {}, { schedule, stack: "b".repeat(40), name });
    await run("ok", {}, { schedule, stack: "b".repeat(40), name: `${name.slice(1)}c` });
    const slugs = ingest.checkIns.map(({ monitor_slug }) => monitor_slug);
    expect(new Set(slugs).size).toBe(2);
    expect(slugs.map(({ length }) => length)).toEqual([50, 50, 50, 50]);
  });

  it("of a job do not pass for those of another, nor of its doctor", async () => {
    const names = [
      { stack: "a-b", name: "c" },
      { stack: "a", name: "b-c" },
      { stack: "a", name: "b-c-doctor" },
    ];
    for (const each of names) await run("ok", {}, { schedule, ...each });
    const { monitor } = await open(ingest, {}, { schedule, stack: "a", name: "b-c" });
    await monitor.check();
    const slugs = ingest.checkIns.map(({ monitor_slug }) => monitor_slug);
    expect([...new Set(slugs)]).toEqual(["a-b_c", "a_b-c", "a_b-c-doctor", "a_b-c_doctor"]);
  });

  it("are not sent for a job without a schedule", async () => {
    expect(await run("ok", {}, {})).toEqual([]);
    expect(ingest.metrics.length).toBeGreaterThan(0);
  });
});

it("sizes, durations and the outcome are metrics", async () => {
  const { monitor } = await open(ingest);
  await monitor.measure("verify", { provider: "filesystem" }, () => Promise.resolve());
  monitor.checkIn("ok", { seconds: 2.5, bytes: 1000, storedBytes: 400, newestVerifiedSeconds: 3 });
  await monitor.flush(2_000);
  expect(ingest.metrics.map(({ name, type, unit, value }) => [name, type, unit, value])).toEqual([
    ["provision.step_duration", "distribution", "second", expect.any(Number)],
    ["provision.run_succeeded", "counter", "count", 1],
    ["provision.run_partial", "counter", "count", 0],
    ["provision.run_failed", "counter", "count", 0],
    ["provision.run_duration", "distribution", "second", 2.5],
    ["provision.plain_bytes", "distribution", "byte", 1000],
    ["provision.stored_bytes", "distribution", "byte", 400],
    ["provision.newest_verified_age", "gauge", "second", 3],
  ]);
  const [step] = ingest.metrics;
  expect(step?.attributes).toMatchObject({
    stack: { value: "prod" },
    job: { value: "app" },
    step: { value: "verify" },
    provider: { value: "filesystem" },
    outcome: { value: "ok" },
  });
});

it("nothing is installed in the process", async () => {
  const events = ["uncaughtException", "unhandledRejection", "warning", "SIGTERM"] as const;
  const before = events.map((event) => process.listenerCount(event));
  const log = console.log;
  const { monitor } = await open(ingest);
  await monitor.measure("dump", {}, async () => {
    const response = await fetch(`http://${ingest.host}/else`);
    await response.text();
  });
  expect(events.map((event) => process.listenerCount(event))).toEqual(before);
  expect(console.log).toBe(log);
  const other = ingest.received.find(({ path }) => path === "/else");
  expect(Object.keys(other?.headers ?? {}).filter((name) => /trace|baggage/.test(name))).toEqual([]);
  expect(ingest.refusals.splice(0)).toEqual(["method GET"]);
});

describe("a DSN", () => {
  it.each([
    "",
    "nothing of the kind",
    "https://sentry.io/42",
    "https://key@sentry.io",
    "https://key@sentry.io/project",
    "ftp://key@host/1",
    "https://key@host/1?a=b",
  ])("that reads %j is a mistake in the configuration", async (dsn) => {
    const config = sentry.schema.parse({ kind: "sentry", dsn: { env: "DSN" } });
    const refused = await sentry.create(config, await monitorContext({ dsn })).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "CONFIG" });
    if (dsn) expect((refused as Error).message).not.toContain(dsn);
  });

  it.each([
    "https://0123456789abcdef@o42.ingest.us.sentry.io/4505",
    "https://key:old@sentry.example.com:8443/sub/path/7",
    "http://key@[::1]:9000/1",
  ])("%s is one", async (dsn) => {
    const config = sentry.schema.parse({ kind: "sentry", dsn: { env: "DSN" } });
    await expect(sentry.create(config, await monitorContext({ dsn }))).resolves.toBeDefined();
  });
});

describe("the check", () => {
  it("sends a test event and a test check-in and says where they are", async () => {
    const { monitor } = await open(ingest);
    const place = await monitor.check();
    const [event] = ingest.events;
    expect(event).toMatchObject({ level: "info", environment: "prod" });
    // A monitor of its own: in the job's this would pass for a backup.
    expect(ingest.checkIns).toMatchObject([{ monitor_slug: "prod_app_doctor", status: "ok" }]);
    expect(place).toBe(
      `project 42 of 127.0.0.1, environment prod: a test event in Issues, id ${String(event?.event_id)}, ` +
        "and a test check-in in Crons, monitor prod_app_doctor",
    );
  });

  it("says that a key is not known", async () => {
    const context = await monitorContext({ dsn: ingest.dsn.replace("public", "another") });
    const config = sentry.schema.parse({ kind: "sentry", dsn: { env: "DSN" } });
    const refused = (await sentry.create(config, context)).check();
    await expect(refused).rejects.toMatchObject({ code: "AUTH" });
    ingest.refusals.length = 0;
  });
});
