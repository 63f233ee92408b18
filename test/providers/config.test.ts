import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { JobConfig, jobSecrets, JobSettings } from "../../providers/config.ts";

/** The least that a person must write. */
const least = {
  name: "app",
  database: { kind: "postgres", url: { secret: "appDatabaseUrl" } },
  destinations: [{ kind: "filesystem" }],
};

/** A job that uses every field that refers to a secret. */
const full = {
  ...least,
  stack: "prod",
  encryption: {
    recipients: ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"],
    identity: { file: "/etc/age.key" },
  },
  prune: { schedule: { cron: "0 5 * * *" } },
  drill: { schedule: { cron: "0 6 * * 0" }, target: { secret: "drillServerUrl" } },
  monitor: [
    { kind: "log" },
    { kind: "sentry", dsn: { secret: "sentryDsn" } },
    { kind: "webhook", url: { env: "HEARTBEAT_URL" } },
  ],
};

/** What is used of JSON Schema here. */
interface Shape {
  readonly $ref?: string;
  readonly type?: string;
  readonly anyOf?: readonly Shape[];
  readonly description?: string;
}

const jsonSchema = z.toJSONSchema(JobConfig, { io: "input" });

/** All properties at any depth, with their paths. */
function properties(node: unknown, path: string): [path: string, name: string, shape: Shape][] {
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([key, child]: [string, unknown]) => {
    const below = properties(child, `${path}/${key}`);
    if (key !== "properties") return below;
    const own = Object.entries(child as Record<string, Shape>);
    return [...own.map(([name, shape]): [string, string, Shape] => [`${path}/${name}`, name, shape]), ...below];
  });
}

describe("JobSettings", () => {
  it("fills in the documented defaults", () => {
    const settings = JobSettings.parse(least);
    expect(settings).toMatchObject({
      compression: { level: 1 },
      verify: true,
      timeoutMinutes: 1440,
      monitor: [],
      destinations: [{ kind: "filesystem", stallTimeoutSeconds: 900 }],
    });
    // Nothing more: each of these fields reaches the runner, which may be of an older version than the program.
    expect(settings.compression).toEqual({ level: 1 });
    expect(settings.schedule).toBeUndefined();
    expect(settings.encryption).toBeUndefined();
    expect(settings.retention).toBeUndefined();
    expect(JobSettings.parse({ ...least, schedule: { cron: "0 3 * * *" } }).schedule?.timezone).toBe("UTC");
  });

  it.each([
    ["a b c d e", /^expected a time of cron: the minute "a" cannot be read; allowed are 0 to 59, /],
    ["61 * * * *", /^expected a time of cron: the minute "61" is out of range; allowed are 0 to 59, /],
    ["0 0 31 2 *", /^expected a time of cron: no month of "2" has a day "31"/],
    ["0 17-9 * * *", /^expected a time of cron: the hour "17-9" is a range that runs backwards/],
    ["0 1,,2 * * *", /^expected a time of cron: the hour "" cannot be read/],
    ["*/0 * * * *", /^expected a time of cron: the minute "\*\/0" has the step 0/],
    ["0 3 ? * *", /^expected a time of cron: the day of the month "\?" cannot be read/],
    ["0 3 * * 1#2", /^expected a time of cron: the weekday "1#2" cannot be read/],
    ["0 3 * *", /^expected the five fields of cron/],
    ["0  3 * * *", /^expected the five fields of cron/],
  ])("refuses the cron expression %s wherever a schedule stands, and says once what is wrong with it", (cron, why) => {
    const schedule = { cron };
    for (const job of [
      { schedule },
      { prune: { schedule } },
      { drill: { schedule } },
      { report: { schedule, publish: true } },
    ]) {
      const { error } = JobSettings.safeParse({ ...least, ...job });
      expect(error?.issues.map(({ message }) => message)).toEqual([expect.stringMatching(why)]);
    }
  });

  it.each(["*/15 8-18/2 1,15 jan,JUN-aug mon-5", "0 3 29 2 *", "0 3 31 2 1", "59 23 * * 7", "0 3 * * SUN"])(
    "takes the cron expression %s",
    (cron) => {
      expect(JobSettings.safeParse({ ...least, schedule: { cron } }).success).toBe(true);
    },
  );

  it("takes one monitor or a list of them", () => {
    const one = JobSettings.parse({ ...least, monitor: { kind: "log" } });
    const list = JobSettings.parse({ ...least, monitor: [{ kind: "log" }] });
    expect(one.monitor).toMatchObject([{ kind: "log" }]);
    expect(one.monitor).toEqual(list.monitor);
  });

  it.each(["a", "app", "app-2", "a".repeat(40)])("takes the name %s", (name) => {
    expect(JobSettings.safeParse({ ...least, name }).success).toBe(true);
  });

  it.each(["", "-a", "a-", "A", "a_b", "a/b", "..", "a".repeat(41)])("refuses the name %j", (name) => {
    expect(JobSettings.safeParse({ ...least, name }).success).toBe(false);
  });

  it.each(["a", "team/a", "a.b/..c", ".hidden/x-1_2"])("takes the prefix %s", (prefix) => {
    expect(JobSettings.safeParse({ ...least, destinations: [{ kind: "filesystem", prefix }] }).success).toBe(true);
  });

  it.each(["", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "a/.", "a b"])(
    "refuses the prefix %j",
    (prefix) => {
      expect(JobSettings.safeParse({ ...least, destinations: [{ kind: "filesystem", prefix }] }).success).toBe(false);
    },
  );
});

describe("JobConfig", () => {
  it("survives being written as JSON and read again", () => {
    const job = JobConfig.parse(full);
    expect(JobConfig.parse(JSON.parse(JSON.stringify(job)))).toEqual(job);
  });

  it("describes every field, so that an editor can help", () => {
    const all = properties(jsonSchema, "");
    expect(all.length).toBeGreaterThan(25);
    expect(all.filter(([, , { description }]) => description === undefined).map(([path]) => path)).toEqual([]);
  });

  it("shows an editor both forms of monitor", () => {
    const [monitor] = properties(jsonSchema, "").filter(([, name]) => name === "monitor");
    expect(monitor?.[2].anyOf?.map(({ type }) => type ?? "one of the kinds")).toEqual(["one of the kinds", "array"]);
  });

  it("takes only references where a field's name speaks of a secret", () => {
    const secretive = /url\b|password|token|secret|dsn|identity|credential|key$/i;
    const suspects = properties(jsonSchema, "").filter(([, name]) => secretive.test(name));
    const inReference = ([path]: [string, ...unknown[]]) => path.includes("/SecretRef/");
    const plain = suspects.filter((suspect) => !inReference(suspect) && suspect[2].$ref !== "#/$defs/SecretRef");
    expect(suspects.length).toBeGreaterThan(2);
    // What Dropbox calls an app's key is its public name, which stands in URLs; a Supabase project's URL is known to all.
    const known = /\/appKey$|\/(destinations|files)\/.*\/url$/;
    expect(plain.map(([path]) => path).filter((path) => !known.test(path))).toEqual([]);
  });

  it("loads no SDK", () => {
    const script = `
      import { registerHooks } from "node:module";
      const loaded = new Set();
      registerHooks({
        load(url, context, next) {
          const inside = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url);
          if (inside) loaded.add(inside[1]);
          return next(url, context);
        },
      });
      await import(${JSON.stringify(join(import.meta.dirname, "../../providers/config.ts"))});
      console.log(JSON.stringify([...loaded]));
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    expect(stdout, stderr).not.toBe("");
    expect(JSON.parse(stdout)).toEqual(["zod"]);
  });
});

describe("jobSecrets", () => {
  it("finds those inside other fields", () => {
    const access = { accessKeyId: { secret: "id" }, secretAccessKey: { secret: "key" } };
    const destination = { kind: "supabase", url: "https://x.supabase.co", bucket: "b", s3: { region: "r", ...access } };
    expect(jobSecrets(JobSettings.parse({ ...least, destinations: [destination] })).slice(1)).toEqual([
      { path: ["destinations", 0, "s3", "accessKeyId"], ref: { secret: "id" } },
      { path: ["destinations", 0, "s3", "secretAccessKey"], ref: { secret: "key" } },
    ]);
  });

  it("finds every reference, with its path", () => {
    expect(jobSecrets(JobConfig.parse(full))).toEqual([
      { path: ["database", "url"], ref: { secret: "appDatabaseUrl" } },
      { path: ["encryption", "identity"], ref: { file: "/etc/age.key" } },
      { path: ["drill", "target"], ref: { secret: "drillServerUrl" } },
      { path: ["monitor", 1, "dsn"], ref: { secret: "sentryDsn" } },
      { path: ["monitor", 2, "url"], ref: { env: "HEARTBEAT_URL" } },
    ]);
  });

  it("leaves out those that a job does not set", () => {
    expect(jobSecrets(JobSettings.parse(least)).map(({ path }) => path.join("."))).toEqual(["database.url"]);
  });
});
