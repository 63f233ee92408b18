import { describe, expect, it } from "vitest";
import { z } from "zod";
import { explain, JobConfig } from "../../providers/config.ts";
import { closest } from "../../providers/explain/closest.ts";

/** A job in which everything is right. */
const job = {
  stack: "prod",
  name: "app",
  schedule: { cron: "0 3 * * *", timezone: "America/Sao_Paulo" },
  database: { kind: "postgres", url: { secret: "appDatabaseUrl" } },
  destinations: [{ kind: "filesystem", path: "/srv/backups" }],
  retention: { last: 7 },
};

/** The job with some fields changed; `undefined` takes a field away. */
function problems(change: object) {
  const input: unknown = JSON.parse(JSON.stringify({ ...job, ...change }));
  return problemsOf(JobConfig, input, "jobs[0]");
}

function problemsOf(schema: z.ZodType, input: unknown, root?: string) {
  const result = schema.safeParse(input);
  return result.success ? [] : explain(result.error, schema, input, root);
}

const reference = "a reference to a secret: { secret: … }, { env: … }, { file: … }, { arn: … } or { ssm: … }";
const setSecret = (field: string) =>
  "Set the secret with: pulumi config set --secret --path 'provision:secrets.NAME', where NAME is a name of your choice, " +
  `and write ${field}: { secret: NAME } here.`;
const jobFields =
  "name, rename, schedule, database, files, destinations, encryption, signing, compression, retention, verify, objectives, anomalies, timeoutMinutes, prune, drill, report, monitor, $schema, stack and owner";

/** What is wrong · the change · where · the message · the fix. */
const mistakes: [string, object, string, string, string][] = [
  [
    "no name",
    { name: undefined },
    "jobs[0].name",
    "is missing; expected a text",
    "Add name, for example name: app. About name: The job's name, unique in its stack.",
  ],
  [
    "a name with a blank and capitals",
    { name: "My App" },
    "jobs[0].name",
    "expected 1 to 40 lower-case letters, digits and '-', not at the ends, got \"My App\"",
    "Write it, for example name: app. About name: The job's name, unique in its stack.",
  ],
  [
    "a number where a text belongs",
    { name: 5 },
    "jobs[0].name",
    "expected a text, got 5",
    "Write it in quotes. About name: The job's name, unique in its stack.",
  ],
  [
    "a schedule that is only the cron line",
    { schedule: "0 3 * * *" },
    "jobs[0].schedule",
    'expected an object with cron, got "0 3 * * *"',
    'Write it, for example schedule: { cron: "0 3 * * *" }. About schedule: When it runs. Left out: only by hand.',
  ],
  [
    "four fields of cron",
    { schedule: { cron: "0 3 * *" } },
    "jobs[0].schedule.cron",
    'expected the five fields of cron: minute hour day month weekday, got "0 3 * *"',
    'Write it, for example cron: "0 3 * * *". About cron: Five fields: minute, hour, day of the month, month, day of the week.',
  ],
  [
    "a misspelt field that is required",
    { schedule: { corn: "0 3 * * *" } },
    "jobs[0].schedule.corn",
    "there is no such field; allowed are cron and timezone",
    "Did you mean cron?",
  ],
  [
    "an unknown time zone",
    { schedule: { cron: "0 3 * * *", timezone: "Sao Paulo" } },
    "jobs[0].schedule.timezone",
    'expected a time zone of the IANA database, got "Sao Paulo"',
    "Write it, for example timezone: America/Sao_Paulo. About timezone: IANA time zone in which the fields are read. Default UTC.",
  ],
  [
    "a field one level too high",
    { cron: "0 3 * * *" },
    "jobs[0].cron",
    `there is no such field; allowed are ${jobFields}`,
    "Move it into schedule: schedule.cron.",
  ],
  [
    "no database",
    { database: undefined },
    "jobs[0].database",
    'is missing; expected an object with kind "postgres" or "supabase"',
    "Add database, for example database: { kind: postgres, url: { secret: appDatabaseUrl } }. About database: What is backed up.",
  ],
  [
    "a URL in the database's place",
    { database: "postgres://user:pa/ss@word@db.example.com:5432/app?sslmode=require" },
    "jobs[0].database",
    'expected an object with kind "postgres" or "supabase", got "postgres://…@db.example.com:5432/app?…"',
    "Write it, for example database: { kind: postgres, url: { secret: appDatabaseUrl } }. About database: What is backed up.",
  ],
  [
    "a misspelt kind",
    { database: { kind: "postgre", url: { secret: "appDatabaseUrl" } } },
    "jobs[0].database.kind",
    'expected "postgres" or "supabase", got "postgre"',
    'Did you mean "postgres"?',
  ],
  [
    "a kind that there is not",
    { database: { kind: "mysql", url: { secret: "appDatabaseUrl" } } },
    "jobs[0].database.kind",
    'expected "postgres" or "supabase", got "mysql"',
    "Write it, for example kind: postgres.",
  ],
  [
    "no kind",
    { database: { url: { secret: "appDatabaseUrl" } } },
    "jobs[0].database.kind",
    'is missing; expected "postgres" or "supabase"',
    "Add kind, for example kind: postgres.",
  ],
  [
    "a secret in plain text",
    { database: { kind: "postgres", url: "postgres://user:hunter2@db.example.com/app" } },
    "jobs[0].database.url",
    `a secret must not stand here in plain text; expected ${reference}`,
    `${setSecret("url")} If others may have seen the secret, change it where it comes from.`,
  ],
  [
    "no secret",
    { encryption: { recipients: ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"], identity: {} } },
    "jobs[0].encryption.identity",
    `expected ${reference}, got an empty object`,
    setSecret("identity"),
  ],
  [
    "a number where a reference to a secret belongs",
    { database: { kind: "postgres", url: 12345 } },
    "jobs[0].database.url",
    `expected ${reference}, got a number that is not shown`,
    setSecret("url"),
  ],
  [
    "a misspelt reference to a secret",
    { database: { kind: "postgres", url: { secert: "appDatabaseUrl" } } },
    "jobs[0].database.url.secert",
    "there is no such field; allowed are secret, env, file, arn and ssm",
    "Did you mean secret?",
  ],
  [
    "two references to a secret",
    { database: { kind: "postgres", url: { secret: "appDatabaseUrl", env: "APP_URL" } } },
    "jobs[0].database.url",
    "expected only one of secret, env, file, arn and ssm, got secret and env",
    "Keep one of them.",
  ],
  [
    "the secret itself in the place of its name",
    { database: { kind: "postgres", url: { secret: "postgres://user:hunter2@db.example.com/app" } } },
    "jobs[0].database.url.secret",
    "expected a letter, then letters, digits or underscores, 63 at most, got a text of 42 characters that is not shown",
    "Write it, for example secret: appDatabaseUrl. About secret: Name of one of the stack's secrets (provision:secrets).",
  ],
  [
    "a relative path of a secret's file",
    { database: { kind: "postgres", url: { file: "url.txt" } } },
    "jobs[0].database.url.file",
    "expected an absolute path, which starts with '/', got a text of 7 characters that is not shown",
    "Write it, for example file: /etc/provision/app-database-url. About file: Absolute path of a file on the runner's machine.",
  ],
  [
    "an unknown field with a secret",
    { database: { kind: "postgres", url: { secret: "appDatabaseUrl" }, password: "hunter2" } },
    "jobs[0].database.password",
    "there is no such field; allowed are kind, url, clients, lockTimeoutSeconds, include, exclude, excludeData, auth, rootCertificate, server, jobs, scratch, databases and excludeDatabases",
    "Remove it, or use one of kind, url, clients, lockTimeoutSeconds, include, exclude, excludeData, auth, rootCertificate, server, jobs, scratch, databases and excludeDatabases.",
  ],
  [
    "one destination without a list",
    { destinations: { kind: "filesystem" } },
    "jobs[0].destinations",
    "expected a list of 1 to 8 entries, got an object with kind",
    "Put it into a list, even if it is the only entry. About destinations: Where backups are kept: each destination gets " +
      "a whole copy, all in one pass.",
  ],
  [
    "no destination",
    { destinations: [] },
    "jobs[0].destinations",
    "expected a list of 1 to 8 entries, got an empty list",
    "Write it, for example destinations: [{ kind: filesystem }]. About destinations: Where backups are kept: each " +
      "destination gets a whole copy, all in one pass.",
  ],
  [
    "a misspelt field and so one that is missing",
    { destinations: undefined, destination: [{ kind: "filesystem" }] },
    "jobs[0].destination",
    `there is no such field; allowed are ${jobFields}`,
    "Did you mean destinations?",
  ],
  [
    "only the kind of a destination",
    { destinations: [job.destinations[0], "filesystem"] },
    "jobs[0].destinations[1]",
    'expected an object with kind "filesystem", "s3", "dropbox", "google-drive" or "supabase", got "filesystem"',
    "Write it, for example { kind: filesystem }.",
  ],
  [
    "a misspelt field of a destination",
    { destinations: [{ kind: "filesystem", paht: "/srv/backups" }] },
    "jobs[0].destinations[0].paht",
    "there is no such field; allowed are kind, path, prefix and stallTimeoutSeconds",
    "Did you mean path?",
  ],
  [
    "a relative path",
    { destinations: [{ kind: "filesystem", path: "backups" }] },
    "jobs[0].destinations[0].path",
    "expected an absolute path, which starts with '/', got \"backups\"",
    "Write it, for example path: /srv/backups. About path: Absolute path of the folder. It is made if it does not exist, " +
      "for its owner alone. Left out: a folder of the stack's own on the target `host`.",
  ],
  [
    "a prefix that leads out",
    { destinations: [{ kind: "filesystem", prefix: "../x" }] },
    "jobs[0].destinations[0].prefix",
    "expected folder names of letters, digits, '.', '_' and '-', joined by '/', got \"../x\"",
    "Write it, for example prefix: backups/team-a. About prefix: Folder inside the store, under which everything is kept. " +
      "Default: the store's root.",
  ],
  [
    "a number in quotes",
    { retention: { last: 7, daily: "7" } },
    "jobs[0].retention.daily",
    'expected a whole number from 0 to 3650, got "7"',
    "Write it without quotes. About daily: How many of the last backups of a day to keep, 0 to 3650. Default 0.",
  ],
  [
    "a number below what is allowed",
    { retention: { daily: -1 } },
    "jobs[0].retention.daily",
    "expected a whole number from 0 to 3650, got -1",
    "Write it, for example daily: 14. About daily: How many of the last backups of a day to keep, 0 to 3650. Default 0.",
  ],
  [
    "half a backup",
    { retention: { daily: 1.5 } },
    "jobs[0].retention.daily",
    "expected a whole number from 0 to 3650, got 1.5",
    "Write it, for example daily: 14. About daily: How many of the last backups of a day to keep, 0 to 3650. Default 0.",
  ],
  [
    "a retention that keeps nothing",
    { retention: { daily: 0 } },
    "jobs[0].retention",
    "expected at least one of last, hourly, daily, weekly, monthly and yearly above 0, or within, got an object with daily",
    "Write it, for example retention: { last: 7, daily: 14, weekly: 8, monthly: 12 }. About retention: Which backups prune " +
      "keeps. Left out: nothing is ever pruned.",
  ],
  [
    "a field that was left empty",
    { retention: null },
    "jobs[0].retention",
    "expected an object with any of last, hourly, daily, weekly, monthly, yearly, within, atLeast and removeAtMost, got nothing (null)",
    "Write it, for example retention: { last: 7, daily: 14, weekly: 8, monthly: 12 }. About retention: Which backups prune " +
      "keeps. Left out: nothing is ever pruned.",
  ],
  [
    "one recipient without a list",
    { encryption: { recipients: "age1x" } },
    "jobs[0].encryption.recipients",
    'expected a list of at least 1 entry, got "age1x"',
    "Put it into a list, even if it is the only entry. About recipients: age public keys; each of their owners alone can " +
      "decrypt. Made with `age-keygen`.",
  ],
  [
    "the private key in the public one's place",
    { encryption: { recipients: ["AGE-SECRET-KEY-1QQPQYQSZQGPQY"] } },
    "jobs[0].encryption.recipients[0]",
    "expected an age public key, which starts with age1, got a text of 29 characters that is not shown",
    "Write an age public key, which starts with age1.",
  ],
  [
    "yes for true",
    { verify: "yes" },
    "jobs[0].verify",
    'expected true or false, got "yes"',
    "Write verify: true, without quotes. About verify: Read every backup back in full after it is written. Default true. " +
      "Without it nothing is ever pruned.",
  ],
  [
    "a level above what is allowed",
    { compression: { level: 22 } },
    "jobs[0].compression.level",
    "expected a whole number from 1 to 19, got 22",
    "Write it, for example level: 3. About level: zstd's level, 1 to 19. Default 1: faster than pg_dump reads.",
  ],
  [
    "a field's former name",
    { monitors: [{ kind: "log" }] },
    "jobs[0].monitors",
    `there is no such field; allowed are ${jobFields}`,
    "Did you mean monitor?",
  ],
  [
    "a misspelt kind of the only monitor",
    { monitor: { kind: "lgo" } },
    "jobs[0].monitor.kind",
    'expected "log", "sentry" or "webhook", got "lgo"',
    'Did you mean "log"?',
  ],
  [
    "a fault in one of several monitors",
    { monitor: [{ kind: "log" }, { kind: "log", progressSeconds: 0 }] },
    "jobs[0].monitor[1].progressSeconds",
    "expected a whole number from 1 to 86400, got 0",
    "Write a whole number from 1 to 86400. About progressSeconds: Seconds between two progress lines where there is no " +
      "terminal. Default 60.",
  ],
  [
    "a field of a monitor cut short",
    { monitor: { kind: "log", progress: 5 } },
    "jobs[0].monitor.progress",
    "there is no such field; allowed are kind, progressSeconds, metrics and namespace",
    "Did you mean progressSeconds?",
  ],
  [
    "only the kind of a monitor",
    { monitor: "log" },
    "jobs[0].monitor",
    'expected an object with kind "log", "sentry" or "webhook" or a list of them, got "log"',
    "Write it, for example monitor: { kind: log }. About monitor: Monitors that hear how a run went, beside the log: one, " +
      "or a list of them. Default: nobody.",
  ],
  [
    "a URL in a field's place",
    { "postgres://user:hunter2@db.example.com/app": null },
    'jobs[0]["postgres://…@db.example.com/app"]',
    `there is no such field; allowed are ${jobFields}`,
    `Remove it, or use one of ${jobFields}.`,
  ],
];

describe("explain", () => {
  it("finds nothing wrong with a job in which everything is right", () => {
    expect(problems({})).toEqual([]);
    expect(problems({ monitor: [{ kind: "log" }] })).toEqual([]);
  });

  it.each(mistakes)("%s", (_what, change, path, message, fix) => {
    expect(problems(change)).toEqual([{ path, message, fix }]);
  });

  it("tells all problems at once", () => {
    const found = problems({
      name: "My App",
      database: { kind: "postgres" },
      destinations: [{ kind: "s4" }],
      retention: 7,
    });
    expect(found.map(({ path }) => path)).toEqual([
      "jobs[0].name",
      "jobs[0].database.url",
      "jobs[0].destinations[0].kind",
      "jobs[0].retention",
    ]);
    expect(found[1]?.message).toBe(`is missing; expected ${reference}`);
  });

  it("names the configuration itself where it has no root", () => {
    expect(problemsOf(JobConfig, "job")).toEqual([
      {
        path: "the configuration",
        message: 'expected an object with name, database, destinations and stack, got "job"',
        fix: "Write it, for example { name: app, database: { kind: postgres, url: { secret: appDatabaseUrl } }, destinations: [{ kind: filesystem }], stack: prod }.",
      },
    ]);
    expect(problemsOf(JobConfig, { ...job, name: "" }).map(({ path }) => path)).toEqual(["name"]);
  });

  const secret = "hunter2-and-more";
  const hiding: [string, unknown][] = [
    ["a plain text in a secret's place", { database: { kind: "postgres", url: secret } }],
    ["a list in a secret's place", { database: { kind: "postgres", url: [secret] } }],
    ["an unknown field's value", { databasePassword: secret }],
    ["a connection string of keywords", { name: `host=db user=app password=${secret}` }],
    ["a URL", { schedule: { cron: `postgres://app:${secret}@db/app` } }],
    ["a URL's parameters", { schedule: { cron: `https://api.example.com/hook?token=${secret}` } }],
    ["a user and a password", { name: `app:${secret}@db.example.com:5432/app` }],
    ["a private key", { name: `-----BEGIN PRIVATE KEY-----\n${secret}` }],
    ["a token", { name: `sb_secret_${secret}` }],
    ["the name of a field", { [`postgres://app:${secret}@db/app`]: { a: 1 } }],
    ["a name in an object that is the wrong type", { name: { [`x://app:${secret}@db`]: 1 } }],
  ];
  it.each(hiding)("never shows %s that may be a secret", (_where, change) => {
    const found = problems(change as object);
    expect(found).not.toEqual([]);
    expect(JSON.stringify(found)).not.toContain("hunter2");
  });

  it("never shows what is below a field whose name speaks of a secret", () => {
    const schema = z.strictObject({
      apiKey: z.int(),
      tokens: z.array(z.strictObject({ id: z.int() })),
      myPassword: z.string().regex(/^x$/),
    });
    const found = problemsOf(schema, { apiKey: "hunter2", tokens: [{ id: "hunter2" }], myPassword: "hunter2" });
    expect(found.map(({ path, message }) => `${path} ${message}`)).toEqual([
      "apiKey expected a whole number, got a text of 7 characters that is not shown",
      "tokens[0].id expected a whole number, got a text of 7 characters that is not shown",
      "myPassword expected a text, got a text of 7 characters that is not shown",
    ]);
  });

  it("shortens long values", () => {
    const [problem] = problems({ name: "A".repeat(500) });
    expect(problem?.message).toBe(
      `expected 1 to 40 lower-case letters, digits and '-', not at the ends, got "${"A".repeat(48)}…"`,
    );
  });

  it("says in words what other schemas allow", () => {
    const schema = z.strictObject({
      ratio: z.number().min(0),
      count: z.int().max(5),
      mode: z.enum(["fast", "safe"]),
      tag: z.string().min(2),
      pair: z.array(z.int()).max(2),
      free: z.strictObject({}),
    });
    const found = problemsOf(schema, { ratio: -1, count: 6, mode: "slow", tag: "a", pair: [1, 2, 3], free: 1 });
    expect(found.map(({ message }) => message)).toEqual([
      "expected a number of at least 0, got -1",
      "expected a whole number of at most 5, got 6",
      'expected "fast" or "safe", got "slow"',
      'expected a text of at least 2 characters, got "a"',
      "expected a list of at most 2 entries, got a list of 3 entries",
      "expected an object, got 1",
    ]);
  });
});

describe("closest", () => {
  const names = ["destinations", "database", "name", "cron"];
  it.each([
    ["destination", "destinations"],
    ["Database", "database"],
    ["nmae", "name"],
    ["crn", "cron"],
    ["dest", "destinations"],
    ["dataabse", "database"],
    ["schedule", undefined],
    ["x", undefined],
    ["", undefined],
  ])("%j was meant as %j", (name, meant) => {
    expect(closest(name, names)).toBe(meant);
  });
});
