import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkSettings, describeProblems, type CheckedSettings } from "../../../components/settings/rules.ts";
import { readSettings } from "../../../components/settings/settings.ts";
import { awsConfig, awsMistakes } from "../../helpers/aws-mistakes.ts";
import { MISTAKE_MARKER, mistakes, rightConfig } from "../../helpers/mistakes.ts";
import { mockEngine, unwrap } from "../../helpers/mocks.ts";

/** The configuration as Pulumi hands it over: texts as they are, the rest as JSON. */
function texts(config: Readonly<Record<string, unknown>>): [string, string][] {
  return Object.entries(config)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]);
}

function check(
  change: Readonly<Record<string, unknown>>,
  options: { readonly stack?: string | undefined; readonly plainSecrets?: boolean | undefined } = {},
): CheckedSettings {
  const { "aws:region": region, ...config } = { ...rightConfig, ...change };
  return checkSettings({
    stack: options.stack ?? "dev",
    values: new Map(texts(config)),
    region: region as string | undefined,
    isSecret: (key) => key === "secrets" && options.plainSecrets !== true,
  });
}

describe("a mistake in the configuration", () => {
  it.each([...mistakes, ...awsMistakes])("is explained: $name", ({ change, problems, ...options }) => {
    const found = check(change, options);
    expect(found.problems.map(({ path, message, fix }) => `${path}: ${message}\n${fix}`)).toEqual(problems);
    expect(found.settings).toBeUndefined();
    expect(JSON.stringify(found)).not.toContain(MISTAKE_MARKER);
  });

  it.each([
    ["host", mistakes],
    ["aws", awsMistakes],
  ])("is one of at least 40 on the target %s", (_, list) => {
    expect(new Set(list.map(({ problems }) => problems.join("\n"))).size).toBeGreaterThanOrEqual(40);
  });
});

describe("checkSettings", () => {
  it("fills in what is left out", () => {
    const { settings, problems, warnings } = check({});
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] });
    expect(settings).toMatchObject({
      stack: "dev",
      target: "host",
      host: { directory: "/var/lib/provision/dev", scheduler: "auto", removeBackupsOnDestroy: false },
      jobSecretNames: ["appUrl"],
    });
    expect(settings?.jobs[0]).toMatchObject({ name: "app", verify: true, schedule: { timezone: "UTC" } });
  });

  it("warns of what is odd and takes it", () => {
    const [job] = rightConfig.jobs as Record<string, unknown>[];
    const { settings, warnings } = check({
      secrets: { appUrl: "x", sshKey: "x", old: "x" },
      jobs: [job, { ...job, name: "web", database: { kind: "postgres", url: { env: "WEB_URL" } } }],
      host: { connection: { host: "db1", port: 2222, privateKey: { secret: "sshKey" } } },
    });
    expect(warnings).toEqual([
      "provision:jobs[1].database.url reads the variable WEB_URL, which neither systemd nor cron sets for a scheduled run.",
      "Any SSH server that answers at db1 is taken for it, and gets the secrets. Set provision:host.connection.hostKey " +
        "to its key, which this shows: ssh-keyscan -t ed25519 -p 2222 db1",
      "Nothing uses the secret old. Remove it with: pulumi config rm --path 'provision:secrets.old'",
    ]);
    // The key opens the machine; it has no business on it.
    expect(settings?.jobSecretNames).toEqual(["appUrl"]);
    expect(settings).toMatchObject({ host: { connection: { user: "root" } } });
  });

  it("fills in what is left out on aws", () => {
    const { settings, problems, warnings } = check(awsConfig);
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] });
    expect(settings).toEqual({
      stack: "dev",
      target: "aws",
      region: "us-east-1",
      jobs: [expect.objectContaining({ name: "app" })],
      jobSecretNames: ["appUrl"],
      aws: {
        ...awsConfig.aws,
        alarms: { emails: ["ops@example.com"], graceHours: 3, shrinkPercent: 50 },
        architecture: "arm64",
        size: { cpu: 1024, memory: 2048 },
        sizes: {},
        network: { dualStackTasks: false },
        bucket: { protect: false, removeOnDestroy: false },
        schedules: { enabled: true, flexibleMinutes: 5, maxRetries: 3, restarts: 2 },
        logs: { retentionDays: 365 },
        secretRecoveryDays: 30,
        roles: {},
        tags: {},
      },
    });
  });

  it("warns of alarms that nobody hears, and of settings of the other target", () => {
    const { image } = awsConfig.aws;
    const { settings, warnings } = check({ ...awsConfig, host: { directory: "/srv" }, aws: { image } });
    expect(settings?.target).toBe("aws");
    expect(warnings).toEqual([
      "Nobody gets the alarms. Add an address: pulumi config set --path 'provision:aws.alarms.emails[0]' ops@example.com",
      "provision:host has no effect on the target aws.",
    ]);
  });

  it("warns of schedules that start nothing, where there are some", () => {
    const paused = { ...awsConfig.aws, schedules: { enabled: false } };
    expect(check({ ...awsConfig, aws: paused }).warnings).toEqual([
      "The schedules are off: no job starts, and no alarm reports missing backups. To turn them on: pulumi config set --path 'provision:aws.schedules.enabled' true",
    ]);
    const byHand = { ...awsConfig.jobs[0], schedule: undefined };
    expect(check({ ...awsConfig, jobs: [byHand], aws: paused }).warnings).toEqual([]);
  });

  it("warns of a lock that outlives the retention, with what is then stored for nothing", () => {
    const [first] = awsConfig.jobs;
    const jobs = [
      { ...first, retention: { last: 7 } },
      { ...first, name: "hourly", schedule: { cron: "0 * * * *" }, retention: { last: 48 } },
      { ...first, name: "kept", retention: { daily: 90 } },
      { ...first, name: "elsewhere", destinations: [{ kind: "s3", bucket: "own" }], retention: { last: 7 } },
    ];
    const locked = (days: number) => ({
      ...awsConfig,
      jobs,
      aws: { ...awsConfig.aws, bucket: { objectLock: { days } } },
    });
    expect(check(locked(30)).warnings).toEqual([
      "The lock of 30 days (provision:aws.bucket.objectLock.days) outlives the retention. What prune removes stays stored, and is paid " +
        "for, until its lock ends. app: 23 days longer than the 7 of its retention, up to 23 backups more; " +
        "hourly: 28 days longer than the 2 of its retention, up to 672 backups more.",
    ]);
    expect(check(locked(2)).warnings).toEqual([]);
    expect(check({ ...awsConfig, jobs }).warnings).toEqual([]);
  });

  it("warns of such a lock of a destination, in place of its bucket's, wherever that is", () => {
    const lock = (days: number) => ({ mode: "governance", days });
    const destinations = [
      { kind: "s3", objectLock: lock(30) },
      { kind: "s3", bucket: "own", region: "us-east-1", prefix: "x", objectLock: lock(90) },
    ];
    const job = { ...awsConfig.jobs[0], retention: { last: 7 }, destinations };
    const aws = { ...awsConfig.aws, bucket: { objectLock: { days: 14 } } };
    const outlives = (days: number, index: number) =>
      `The lock of ${days} days (provision:jobs[0].destinations[${index}].objectLock.days) outlives the retention. What prune removes stays ` +
      `stored, and is paid for, until its lock ends. app: ${days - 7} days longer than the 7 of its retention, up to ${days - 7} backups more.`;
    expect(check({ ...awsConfig, jobs: [job], aws }).warnings).toEqual([outlives(30, 0), outlives(90, 1)]);
    const short = { ...job, destinations: [{ kind: "s3", objectLock: lock(7) }] };
    expect(check({ ...awsConfig, jobs: [short], aws }).warnings).toEqual([]);
  });

  it("takes secrets of Secrets Manager, sizes by job and a confirmed removal on aws", () => {
    const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf";
    const { settings, problems } = check({
      ...awsConfig,
      secrets: {},
      jobs: [{ ...awsConfig.jobs[0], database: { kind: "postgres", url: { arn } } }],
      aws: {
        ...awsConfig.aws,
        sizes: { app: { cpu: 4096, memory: 8192, scratchGiB: 100 } },
        bucket: { removeOnDestroy: true, confirmRemoval: "dev" },
      },
    });
    expect(problems).toEqual([]);
    expect(settings?.jobSecretNames).toEqual([]);
  });
});

describe("what a job asks of the bucket on aws", () => {
  const own = { kind: "s3", sse: { kmsKeyId: "alias/own" }, removeVersions: true };
  const compliance = { mode: "compliance", days: 7 };
  const transitions = [
    { storageClass: "GLACIER_IR", afterDays: 60 },
    { storageClass: "STANDARD_IA", afterDays: 30 },
  ];
  it.each([
    ["a bucket that exists", { existing: "acme" }, own],
    ["a bucket of its own", {}, { ...own, bucket: "acme", objectLock: compliance }],
    [
      "a bucket that goes with the stack",
      { removeOnDestroy: true, confirmRemoval: "dev" },
      { kind: "s3", removeVersions: true },
    ],
    ["a confirmed lock", { objectLock: { days: 7, confirmCompliance: true } }, { kind: "s3", objectLock: compliance }],
    ["classes in their order", { transitions }, { kind: "s3" }],
  ])("is taken for %s", (_, bucket, destination) => {
    const { problems } = check({
      ...awsConfig,
      jobs: [{ ...awsConfig.jobs[0], destinations: [destination] }],
      aws: { ...awsConfig.aws, bucket },
    });
    expect(problems).toEqual([]);
  });
});

describe("describeProblems", () => {
  it("numbers the problems and indents what to do", () => {
    const problems = [
      { path: "a", message: "is wrong", fix: "one\n  two" },
      { path: "b", message: "is worse", fix: "three" },
    ];
    expect(describeProblems("dev", problems)).toBe(
      "The configuration of the stack dev has 2 problems:\n\n1. a: is wrong\n   one\n     two\n\n2. b: is worse\n   three",
    );
    expect(describeProblems("dev", problems.slice(0, 1))).toMatch(
      /^The configuration of the stack dev has 1 problem:\n/,
    );
  });
});

describe("readSettings", () => {
  beforeEach(async () => {
    await mockEngine();
  });
  afterEach(() => {
    pulumi.runtime.setAllConfig({}, []);
    vi.restoreAllMocks();
  });

  function configure(change: Readonly<Record<string, unknown>>, secretKeys = ["provision:secrets"]): void {
    const config: Record<string, string> = { "other:key": "1" };
    for (const [key, value] of texts({ ...rightConfig, ...change })) config[`provision:${key}`] = value;
    pulumi.runtime.setAllConfig(config, secretKeys);
  }

  it("reads the stack's configuration, with the secrets as a secret", async () => {
    configure({});
    const settings = readSettings();
    expect(settings.jobs.map(({ name }) => name)).toEqual(["app"]);
    expect(await Promise.all(Object.values(settings.secrets).map((value) => pulumi.isSecret(value)))).not.toContain(
      false,
    );
    expect(await unwrap(pulumi.output(settings.secrets))).toEqual(rightConfig.secrets);
  });

  it("works for a stack that has no secret", () => {
    const [job] = rightConfig.jobs as Record<string, unknown>[];
    configure({ secrets: {}, jobs: [{ ...job, database: { kind: "postgres", url: { file: "/run/url" } } }] }, []);
    expect(readSettings().secrets).toEqual({});
  });

  it("throws one error for all problems, which shows without a stack", () => {
    configure({ target: "azure", typo: 1 });
    const error = (() => {
      try {
        return readSettings();
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(pulumi.RunError.isInstance(error)).toBe(true);
    expect((error as Error).message).toMatch(
      /^The configuration of the stack dev has 2 problems:\n\n1\. provision:typo: /,
    );
  });

  it("knows plain secrets from encrypted ones", () => {
    configure({}, []);
    expect(() => readSettings()).toThrow("provision:secrets: the secrets are in plain text");
  });

  it("says what is odd", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    configure({ secrets: { appUrl: "x", old: MISTAKE_MARKER } });
    readSettings();
    expect(warn.mock.calls.flat()).toEqual([
      "warning: [runtime] Nothing uses the secret old. Remove it with: pulumi config rm --path 'provision:secrets.old'",
    ]);
  });
});
