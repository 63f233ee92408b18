import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { JobConfig } from "../../providers/config.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { emptyDatabase } from "../helpers/databases.ts";
import { CLI, startProvision } from "../helpers/sandbox.ts";
import { hasProgram } from "../helpers/programs.ts";
import { ensureProgram } from "../helpers/ensure-program.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { atTerminal, type Turn } from "../helpers/terminal.ts";

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

/** A conversation with `provision init`. */
function converse(turns: readonly Turn[]): Promise<{ code: number | null; text: string }> {
  const command = `${process.execPath} ${CLI} init ${join(folder.path, "app.json")}`;
  const home = { PATH: process.env.PATH ?? "", HOME: folder.path, TMPDIR: folder.path };
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
    ]);
    expect(code, text).toBe(0);
    for (const secret of [postgres.password, "hunter2-hunter2"]) expect(text).not.toContain(secret);
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
    expect(await startProvision(["backup", "--job", job()], environment).ended).toMatchObject({ code: 0 });
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

it("says that it needs a terminal", async () => {
  const { code, stderr } = await startProvision(["init", job()], { PATH: process.env.PATH ?? "" }).ended;
  expect([code, stderr]).toEqual([2, expect.stringMatching(/there is no terminal\.\nFix: /)]);
});
