import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { checkSettings } from "../../../components/settings/rules.ts";
import { JobConfig } from "../../../providers/config.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { emptyDatabase } from "../../helpers/databases.ts";
import { CLI, startProvision } from "../../helpers/sandbox.ts";
import { hasProgram } from "../../helpers/programs.ts";
import { ensureProgram } from "../../helpers/ensure-program.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { atTerminal, type Turn } from "../../helpers/terminal.ts";

const consequence = "provision init is not tried at a terminal";
const can = hasProgram("script", consequence) && (await ensureProgram("age", "age"));

let postgres: Postgres;
let folder: TemporaryFolder;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "shop");
});
afterAll(() => postgres.stop());
beforeEach(() => {
  folder = new TemporaryFolder();
});
afterEach(() => {
  folder.remove();
});

/** A conversation with `provision init`, which works in the test's folder. */
function converse(turns: readonly Turn[], args = "app.json"): Promise<{ code: number | null; text: string }> {
  const command = `cd '${folder.path}' && ${process.execPath} ${CLI} init ${args}`;
  // As npm starts it: `npm exec -- provision init`.
  folder.program(
    "crontab",
    '#!/bin/sh\ncase $1 in -l) cat "$HOME/tab" ;; -) cat >"$HOME/new" && mv "$HOME/new" "$HOME/tab" ;; esac\n',
  );
  writeFileSync(join(folder.path, "tab"), "5 5 * * * true\n");
  const path = `${folder.path}:${process.env.PATH ?? ""}`;
  const home = { PATH: path, HOME: folder.path, TMPDIR: folder.path, npm_command: "exec" };
  return atTerminal(command, { ...home, TZ: "Europe/Berlin" }, turns);
}

const job = () => join(folder.path, "app.json");
const mode = (file: string) => (statSync(file).mode & 0o777).toString(8);

describe.runIf(can)("provision init", { timeout: 120_000 }, () => {
  it("asks, refuses wrong answers with what would be right, and writes a job that doctor passes", async () => {
    const wrong = postgres.url("shop").replace(postgres.password, "hunter2-hunter2");
    const store = join(folder.path, "store");
    const { code, text } = await converse([
      [/Name of the stack.*\[prod\]: $/, ""],
      [/Name of the job.*\[app\]: $/, "My App!"],
      [/1 to 40 lower-case letters[\s\S]*Name of the job.*: $/, "shop"],
      [/1 {2}postgres: [\s\S]*Name or number.*: $/, "mysql"],
      [/There is no "mysql" to choose[\s\S]*Name or number.*: $/, "1"],
      [/url \(not shown\): $/, ""],
      [/url is needed[\s\S]*url \(not shown\): $/, wrong],
      [/FAIL {2}[\s\S]*password authentication failed[\s\S]*again \(yes or no\) \[yes\]: $/, ""],
      [/Name or number \[postgres\]: $/, "postgres"],
      [/url \(not shown\): $/, postgres.url("shop")],
      [/The database is ready[\s\S]*What kind of store[\s\S]*Name or number.*: $/, "filesystem"],
      [/path, or nothing for the default: $/, "backups"],
      [/expected an absolute path[\s\S]*path, or nothing for the default: $/, store],
      [/The store is ready[\s\S]*five fields of cron in Europe\/Berlin.*: $/, "daily"],
      [/expected the five fields[\s\S]*cron.*: $/, "30 2 * * *"],
      [/How many daily.*\[7\]: $/, "none"],
      [/no number from 1 to 9999[\s\S]*daily.*: $/, "14"],
      [/How many weekly.*\[4\]: $/, ""],
      [/How many monthly.*\[12\]: $/, ""],
      [/Encrypt .*\[yes\]: $/, "perhaps"],
      [/neither yes nor no[\s\S]*Encrypt .*: $/, "y"],
      [/your crontab.*\[yes\]: $/, "yes"],
    ]);
    expect(code, text).toBe(0);
    for (const secret of [postgres.password, "hunter2-hunter2"]) expect(text).not.toContain(secret);
    expect(text).toMatch(/PROVISION_SECRETS_FILE=\S+app\.secrets\.json \/\S+ \/\S+cli\.js backup --job \S+app\.json/);
    // What stood in the crontab is still there.
    const tab = readFileSync(join(folder.path, "tab"), "utf8").split("\n");
    expect(tab).toHaveLength(3);
    expect(tab[0]).toBe("5 5 * * * true");
    const [, line = ""] = /^30 2 \* \* \* (.+)$/.exec(tab[1] ?? "") ?? [];
    const parsed = JobConfig.parse(JSON.parse(readFileSync(job(), "utf8")));
    expect(parsed).toMatchObject({
      stack: "prod",
      name: "shop",
      schedule: { cron: "30 2 * * *", timezone: "Europe/Berlin" },
      database: { kind: "postgres", url: { secret: "databaseUrl" } },
      destinations: [{ kind: "filesystem", path: store }],
      retention: { daily: 14, weekly: 4, monthly: 12 },
    });
    const [secrets, identity] = ["app.secrets.json", "app.identity"].map((name) => join(folder.path, name));
    expect([job(), secrets ?? "", identity ?? ""].map(mode)).toEqual(["600", "600", "600"]);
    expect(readFileSync(job(), "utf8")).not.toContain(postgres.password);
    // age itself says that the key belongs to the recipient.
    const recipient = execFileSync("age-keygen", ["-y", identity ?? ""], { encoding: "utf8" }).trim();
    expect(parsed.encryption?.recipients).toEqual([recipient]);
    const environment = {
      PATH: process.env.PATH ?? "",
      HOME: folder.path,
      TMPDIR: folder.path,
      PROVISION_SECRETS_FILE: secrets ?? "",
    };
    const doctor = await startProvision(["doctor", "--job", job()], environment).ended;
    expect(doctor.code, doctor.stdout + doctor.stderr).toBe(0);
    // As cron starts it: in the home folder, with hardly any environment.
    const cron = { HOME: "/", PATH: "/usr/bin:/bin" };
    execFileSync("/bin/sh", ["-c", line], { cwd: "/", env: cron, stdio: "pipe" });
    const list = await startProvision(["list", "--job", job(), "--json"], environment).ended;
    expect(list.stdout).toContain('"verified"');
  });

  it("writes nothing when it is left, or where a file is there", async () => {
    const left = await converse([
      [/Name of the stack.*: $/, ""],
      [/Name of the job.*: $/, "\u0003"],
    ]);
    expect(left.code).not.toBe(0);
    expect(left.text).toContain("nothing was written");
    expect(existsSync(job())).toBe(false);
    execFileSync("touch", [join(folder.path, "app.identity")]);
    const taken = await converse([]);
    expect(taken.text).toContain("app.identity is there already");
    expect(taken.code).toBe(2);
  });
});

/** The configuration of a stack as a preview checks it, once its secrets are set. */
function checkStack(stack: string, secrets: readonly string[]) {
  const text = readFileSync(join(folder.path, `Pulumi.${stack}.yaml`), "utf8");
  const { config } = parse(text) as { config: Record<string, unknown> };
  const own = Object.entries(config).filter(([key]) => key.startsWith("provision:"));
  const values = own.map(([key, value]): [string, string] => [
    key.slice("provision:".length),
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  const set = JSON.stringify(Object.fromEntries(secrets.map((name) => [name, "x"])));
  const region = config["aws:region"] as string | undefined;
  return {
    text,
    ...checkSettings({ stack, values: new Map([...values, ["secrets", set]]), region, isSecret: () => true }),
  };
}

describe.runIf(can)("provision init --stack", { timeout: 120_000 }, () => {
  const rest: readonly Turn[] = [
    [/five fields of cron in Europe\/Berlin.*: $/, "30 2 * * *"],
    [/How many daily.*\[7\]: $/, ""],
    [/How many weekly.*\[4\]: $/, ""],
    [/How many monthly.*\[12\]: $/, ""],
    [/Encrypt .*\[yes\]: $/, ""],
  ];
  const database: readonly Turn[] = [
    [/Name of the job.*\[app\]: $/, "orders"],
    [/What kind of database[\s\S]*Name or number.*: $/, "postgres"],
  ];

  it("writes a host's stack that a preview takes, and says how to set the secrets, which stand nowhere", async () => {
    const { code, text } = await converse(
      [
        [/1 {2}host: [\s\S]*Name or number \[host\]: $/, "moon"],
        [/There is no "moon"[\s\S]*Name or number.*: $/, ""],
        ...database,
        [/url \(not shown\): $/, postgres.url("shop")],
        [/The database is ready[\s\S]*What kind of store[\s\S]*Name or number.*: $/, "filesystem"],
        [/path, or nothing for the default: $/, ""],
        ...rest,
      ],
      "--stack shop",
    );
    expect(code, text).toBe(0);
    expect(text).toContain("pulumi config set --stack shop --secret --path 'provision:secrets.databaseUrl'");
    expect(readdirSync(folder.path).filter((name) => !name.startsWith("."))).toEqual(
      expect.arrayContaining(["Pulumi.shop.yaml", "shop.identity"]),
    );
    const { text: yaml, settings, problems, warnings } = checkStack("shop", ["databaseUrl"]);
    for (const shown of [text, yaml]) expect(shown).not.toContain(postgres.password);
    expect([problems, warnings]).toEqual([[], []]);
    const recipient = execFileSync("age-keygen", ["-y", join(folder.path, "shop.identity")], { encoding: "utf8" });
    expect(settings).toMatchObject({
      target: "host",
      jobs: [
        {
          name: "orders",
          schedule: { cron: "30 2 * * *", timezone: "Europe/Berlin" },
          database: { kind: "postgres", url: { secret: "databaseUrl" } },
          destinations: [{ kind: "filesystem" }],
          encryption: { recipients: [recipient.trim()] },
          retention: { daily: 7, weekly: 4, monthly: 12 },
        },
      ],
    });
    expect(mode(join(folder.path, "shop.identity"))).toBe("600");
  });

  it("writes a stack on AWS that a preview takes, with a bucket of its own", async () => {
    const { code, text } = await converse(
      [
        [/Name or number \[host\]: $/, "aws"],
        [/Region of AWS \[eu-central-1\]: $/, "Frankfurt"],
        [/expected the code of a region[\s\S]*Region.*: $/, "us-east-1"],
        ...database,
        [/url \(not shown\): $/, postgres.url("shop")],
        ...rest,
      ],
      "--stack shop",
    );
    expect(code, text).toBe(0);
    const { settings, problems } = checkStack("shop", ["databaseUrl"]);
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({ target: "aws", region: "us-east-1", jobs: [{ destinations: [{ kind: "s3" }] }] });
  });

  it("overwrites no stack, and takes no name that is none", async () => {
    execFileSync("touch", [join(folder.path, "Pulumi.shop.yaml")]);
    const taken = await converse([], "--stack shop");
    expect([taken.code, taken.text]).toEqual([2, expect.stringContaining("Pulumi.shop.yaml is there already")]);
    const wrong = await converse([], "--stack 'My Stack'");
    expect([wrong.code, wrong.text]).toEqual([2, expect.stringMatching(/"My Stack": .*1 to 40 lower-case letters/)]);
    const both = await converse([], "app.json --stack shop");
    expect([both.code, both.text]).toEqual([2, expect.stringContaining("Leave out one of the two")]);
  });
});

it("says that it needs a terminal", async () => {
  const { code, stderr } = await startProvision(["init", job()], { PATH: process.env.PATH ?? "" }).ended;
  expect([code, stderr]).toEqual([2, expect.stringMatching(/there is no terminal\.\nFix: /)]);
});
