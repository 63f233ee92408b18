import { describe, expect, it } from "vitest";
import { z } from "zod";
import description from "../../../package.json" with { type: "json" };
import { fillBackup } from "../../helpers/sample-records.ts";
import { startProvision, type Ended } from "../../helpers/sandbox.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { openStore } from "../../helpers/store.ts";

const JOB = {
  stack: "test",
  name: "app",
  database: { kind: "postgres", url: { env: "APP_URL" } },
  destinations: [{ kind: "filesystem", path: "/nonexistent/store" }],
};

const COMMANDS = [
  "init",
  "backup",
  "verify",
  "restore",
  "drill",
  "list",
  "report",
  "copy",
  "prune",
  "accept",
  "hold",
  "release",
  "doctor",
  "schema",
];

/** Runs `provision` where there is nothing but a job. */
function provision(args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  const base = { PATH: process.env.PATH ?? "", PROVISION_JOB: JSON.stringify(JOB) };
  return startProvision(args, { ...base, ...environment }).ended;
}

describe("help", () => {
  it("of the program names its commands, its exit codes and where secrets come from", async () => {
    const { code, stdout, stderr } = await provision(["--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^Examples:\n {2}provision [\s\S]*\n\nUsage: provision /);
    for (const command of COMMANDS) {
      expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    }
    for (const code of [0, 1, 2, 3, 4, 5, 6, 130]) expect(stdout).toMatch(new RegExp(`(^| )${code}[ ,]`, "m"));
    expect(stdout).toContain("PROVISION_SECRETS_FILE");
  });

  it.each(COMMANDS)("of %s begins with examples", async (command) => {
    const { code, stdout } = await provision([command, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^Examples:\n {2}provision ${command} [\\s\\S]*\n\nUsage: provision ${command} `),
    );
  });
});

it("prints its version", async () => {
  expect(await provision(["--version"])).toMatchObject({ code: 0, stdout: `${description.version}\n` });
});

it("prints a JSON Schema that takes a job and refuses what is none", async () => {
  const { code, stdout } = await provision(["schema"]);
  expect(code).toBe(0);
  const schema = JSON.parse(stdout) as Parameters<typeof z.fromJSONSchema>[0];
  expect(schema).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema" });
  const job = z.fromJSONSchema(schema);
  expect(job.safeParse(JOB)).toMatchObject({ success: true });
  expect(job.safeParse({ $schema: "./job.schema.json", ...JOB })).toMatchObject({ success: true });
  expect(job.safeParse({ ...JOB, retention: { last: 7 }, monitor: { kind: "log" } })).toMatchObject({ success: true });
  const nonsense = { ...JOB, schedule: { cron: "a b c d e" } };
  for (const wrong of [
    { ...JOB, stack: undefined },
    { ...JOB, destinations: [] },
    { ...JOB, verify: "yes" },
    {},
    nonsense,
  ]) {
    expect(job.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false);
  }
});

describe("wrong usage ends with 2 and an explanation:", () => {
  it.each<[string, string[], RegExp]>([
    ["no command", [], /Usage: provision/],
    ["an unknown command", ["backpu"], /unknown command 'backpu'[\s\S]*Did you mean backup/],
    ["an unknown option", ["list", "--jsno"], /unknown option '--jsno'[\s\S]*Did you mean --json/],
    ["an argument too many", ["backup", "now"], /too many arguments/],
    ["no target", ["restore"], /There is nothing to restore into\.\nFix: Give --to .*--files /],
    ["workers that are no number", ["restore", "--to", "env:X", "--jobs", "many"], /whole number from 1 to 64/],
    ["no workers", ["restore", "--to", "env:X", "--jobs", "0"], /whole number from 1 to 64/],
    ["an unknown kind", ["restore", "--to", "env:X", "--kind", "mysql"], /Allowed choices are postgres, supabase/],
    ["an unknown level", ["list", "--log-level", "loud"], /Allowed choices are debug, info, warn, error/],
    ["a destination that is not there", ["list", "--destination", "1"], /no destination 1[\s\S]*takes 0/],
    [
      "a destination that is no number",
      ["list", "--destination", "s3"],
      /no destination "s3"[\s\S]*takes 0 \(filesystem\)/,
    ],
    ["a destination without a name", ["list", "--destination", ""], /no destination ""[\s\S]*takes 0 \(filesystem\)/],
    ["a destination that is no whole number", ["prune", "--destination", "0x0"], /no destination "0x0"/],
    ["a file that is not there", ["list", "--job", "/nonexistent/job.json"], /cannot be read[\s\S]*Fix: /],
    ["a reference that is none", ["verify", "--identity", "hunter2-hunter2"], /--identity expects a reference/],
    ["an identity that is not set", ["verify", "--identity", "env:NO_SUCH"], /NO_SUCH is not set[\s\S]*Fix: /],
    ["a sample without a percent sign", ["verify", "--sample", "5"], /Expected a percentage .*, like 5%/],
    ["a sample of nothing", ["verify", "--sample", "0%"], /more than 0% and at most 100%/],
    ["a sample of all and more", ["verify", "--sample", "101%"], /more than 0% and at most 100%/],
    ["a sample and everything", ["verify", "--sample", "5%", "--all"], /cannot be used with option '--all'/],
    ["a hold without a reason", ["hold", "latest"], /required option '--reason <text>' not specified/],
    ["a hold for an empty reason", ["hold", "latest", "--reason", " "], /Expected one line of 1 to 300 characters/],
    ["a hold until yesterday", ["hold", "latest", "--reason", "x", "--until", "2020-01-01"], /Expected a time to come/],
    [
      "a hold until a day that is none",
      ["hold", "latest", "--reason", "x", "--until", "2099-02-30"],
      /Expected a date as 2027-01-31/,
    ],
    ["a URL on the command line", ["restore", "--to", "postgres://u:hunter2@h/d"], /--to expects a reference/],
    [
      "a variable that is not set",
      ["backup"],
      /database\.url: the environment variable APP_URL is not set[\s\S]*Fix: /,
    ],
  ])("%s", async (_name, args, message) => {
    const { code, stdout, stderr } = await provision(args);
    expect(stderr + stdout).toMatch(message);
    expect(code).toBe(2);
    expect(stderr + stdout).not.toContain("hunter2");

    // To a program it says the same: one object, in the shape of every other failure.
    const asJson = await provision([...args, "--json"]);
    const { error, ...others } = JSON.parse(asJson.stdout) as {
      error: { code: string; message: string; fix?: string };
    };
    expect([asJson.code, others, error.code, asJson.stdout.includes("hunter2")]).toEqual([2, {}, "CONFIG", false]);
    if (args.length > 0) expect(`${error.message}\nFix: ${error.fix ?? ""}`).toMatch(message);
    expect(error.message).not.toMatch(/^error: |^$/);
  });

  it("a destination to restore from that is not there", async () => {
    const environment = { TARGET: "postgres://u@127.0.0.1:1/d" };
    const { code, stderr } = await provision(["restore", "--to", "env:TARGET", "--destination", "7"], environment);
    expect([code, stderr]).toEqual([2, expect.stringContaining("no destination 7")]);
  });

  it("a job with mistakes, as JSON where that is asked for", async () => {
    const { code, stdout, stderr } = await provision(["list", "--json"], { PROVISION_JOB: '{"stack":"test"}' });
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: "CONFIG", message: expect.stringContaining("database") as string },
    });
    expect(stderr).toContain("PROVISION_JOB has");
  });
});

it("holds a backup, shows it in the list, and releases it", async () => {
  const folder = new TemporaryFolder();
  try {
    const id = "20260101T000000Z-abcdef";
    const storage = await openStore(folder.path);
    await fillBackup(storage, `test/app/${id}`, ["manifest.json"], { stack: "test" });
    const job = { ...JOB, destinations: [{ kind: "filesystem", path: folder.path }] };
    const environment = { PROVISION_JOB: JSON.stringify(job), APP_URL: "postgres://u@127.0.0.1:1/d" };
    const held = await provision(["hold", id, "--reason", "case 4711", "--until", "2099-12-31"], environment);
    expect([held.code, held.stderr]).toEqual([0, ""]);
    expect(held.stdout).toContain(`${id} in filesystem ${folder.path}: held until 2099-12-31T23:59:59.000Z`);
    expect((await provision(["list"], environment)).stdout).toMatch(
      /held since \d{4}-\d\d-\d\d until 2099-12-31: case 4711/,
    );
    expect(await provision(["release", id, "--reason", "closed"], environment)).toMatchObject({ code: 0 });
    expect((await provision(["list"], environment)).stdout).not.toContain("held");
    const { code, stderr } = await provision(["release", id, "--reason", "closed"], environment);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`Nobody holds the backup ${id}`)]);
  } finally {
    folder.remove();
  }
});
