import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { parseCron } from "../../../providers/fields/cron.ts";
import { crontabLine } from "../../../components/host/crontab-line.ts";
import type { Owner } from "../../../components/host/owner.ts";
import { scheduleScripts } from "../../../components/host/schedule-scripts.ts";
import { quote } from "../../../components/host/shell.ts";
import { renderSystemdUnits } from "../../../components/host/systemd-units.ts";
import { makeCrontabUser } from "../../helpers/crontab.ts";
import { runScript, TemporaryFolder } from "../../helpers/script.ts";

const owner: Owner = { id: "0123", holder: "abcd", name: "org/project/test/backups", adopt: false };
const machineZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The scripts of a job of the stack `test` that runs a shell command. */
function scripts(
  job: string,
  user: string,
  cron: string,
  options: { timezone?: string; scheduler?: "auto" | "crontab"; owner?: Owner } = {},
) {
  return scheduleScripts({
    unit: `provision.test.${job}`,
    owner: options.owner ?? owner,
    units: renderSystemdUnits({
      description: job,
      command: ["/bin/true"],
      environment: {},
      writable: [],
      timeoutMinutes: 1,
      calendar: [],
    }),
    line: crontabLine(cron, parseCron(cron), { environment: {}, argv: ["/bin/true"] }, `/tmp/${job}.log`),
    timezone: options.timezone ?? machineZone,
    scheduler: options.scheduler ?? "crontab",
    user,
  });
}
const line = (job: string, times: string, mark = " 0123.abcd org/project/test/backups") =>
  `${times} /bin/true >>'/tmp/${job}.log' 2>&1 || tail -n 20 '/tmp/${job}.log' # provision.test.${job}${mark}\n`;

const user = await makeCrontabUser();
const theirs = "# my own\nMAILTO=me@example.com\n\n5 4 * * * echo 100\\% # provision.test.apple\n@reboot true";

describe.runIf(user !== undefined)("a schedule's scripts with the real crontab", () => {
  if (user === undefined) return;
  afterEach(() => {
    user.write("");
  });
  afterAll(() => {
    user.remove();
  });

  it("add, change and remove their own line and leave the others as they are", () => {
    user.write(`${theirs}\n`);
    const app = scripts("app", user.name, "0 3 * * mon-fri");
    const [how] = runScript(app.create).stdout.split("\n");
    expect(how).toBe("crontab");
    expect(user.read()).toBe(`${theirs}\n${line("app", "0 3 * * 1,2,3,4,5")}`);
    expect(runScript(scripts("web", user.name, "*/5 * * * *").create).code).toBe(0);
    expect(runScript(scripts("app", user.name, "0 4 */2 * 7").create).code).toBe(0);
    expect(user.read()).toBe(`${theirs}\n${line("web", "*/5 * * * *")}${line("app", "0 4 */2 * 0")}`);
    expect(runScript(app.delete)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(user.read()).toBe(`${theirs}\n${line("web", "*/5 * * * *")}`);
  });

  it("change nothing the second time", () => {
    const app = scripts("app", user.name, "0 3 * * *");
    runScript(app.create);
    const first = user.read();
    expect(first).toBe(line("app", "0 3 * * *"));
    runScript(app.create);
    expect(user.read()).toBe(first);
    runScript(app.delete);
    runScript(app.delete);
    expect(user.read()).toBe("");
  });

  it("lose no line where several run at a time, as Pulumi runs them", { timeout: 60_000 }, () => {
    const folder = new TemporaryFolder();
    try {
      // What was read is old by the time it is written back.
      folder.program(
        "crontab",
        '#!/bin/sh\n/usr/bin/crontab "$@"\ncode=$?\ncase "$*" in *-l*) sleep 0.3 ;; esac\nexit "$code"\n',
      );
      const environment = { PATH: `${folder.path}:${process.env.PATH ?? ""}` };
      const made = (name: string) => scripts(name, user.name, "0 3 * * *");
      user.write(`${theirs}\n`);
      runScript(made("old").create);
      const all = [made("old").delete, ...["app", "web", "shop"].map((name) => made(name).create)];
      const together = `${all.map((script) => `/bin/sh -c ${quote(script)} &`).join("\n")}\nwait`;
      expect(runScript(together, { environment }).stderr).toBe("");
      const after = user.read();
      expect(after.startsWith(`${theirs}\n`)).toBe(true);
      const added = after
        .slice(theirs.length + 1)
        .split("\n")
        .sort();
      expect(added.map((text) => text.split(" # ")[1] ?? "")).toEqual([
        "",
        "provision.test.app 0123.abcd org/project/test/backups",
        "provision.test.shop 0123.abcd org/project/test/backups",
        "provision.test.web 0123.abcd org/project/test/backups",
      ]);
    } finally {
      folder.remove();
    }
  });

  it("refuse a time zone that is not the machine's, and install nothing", () => {
    const other = machineZone === "Asia/Tokyo" ? "America/Lima" : "Asia/Tokyo";
    const result = runScript(scripts("app", user.name, "0 3 * * *", { timezone: other }).create);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(
      new RegExp(
        `^The crontab of \\S+ reads times in the machine's zone, \\S+, and not in ${other}\\.\n` +
          "Set the job's schedule\\.timezone to the machine's zone and its cron to that zone's time, or use a machine with systemd\\.\n$",
      ),
    );
    expect(user.read()).toBe("");
  });

  it.each([
    // An alias, either way round.
    { machine: "Etc/UTC", schedule: "UTC", taken: true },
    { machine: "UTC", schedule: "Etc/UTC", taken: true },
    // Another place whose clock has been the same for long, without and with summer time.
    { machine: "UTC", schedule: "Africa/Abidjan", taken: true },
    { machine: "Europe/Berlin", schedule: "Europe/Oslo", taken: true },
    // The same clock for a part of the year.
    { machine: "UTC", schedule: "Europe/London", taken: false },
    { machine: "America/Denver", schedule: "America/Phoenix", taken: false },
    // No zone that the machine knows.
    { machine: "UTC", schedule: "Europe/Nowhere", taken: false },
  ])("on a machine in $machine, take $schedule: $taken", ({ machine, schedule, taken }) => {
    const folder = new TemporaryFolder();
    try {
      // What the script asks for the machine's own time, it asks without TZ.
      folder.program("date", `#!/bin/sh\nTZ=\${TZ-${machine}} exec /bin/date "$@"\n`);
      const environment = { PATH: `${folder.path}:${process.env.PATH ?? ""}` };
      const { create } = scripts("app", user.name, "0 3 * * *", { timezone: schedule });
      const { code, stderr } = runScript(create, { environment });
      expect(code, stderr).toBe(taken ? 0 : 1);
      expect(user.read()).toBe(taken ? line("app", "0 3 * * *") : "");
      if (!taken) expect(stderr).toContain(`and not in ${schedule}.`);
    } finally {
      folder.remove();
    }
  });

  it.each(["UTC", "Etc/UTC"])("take %s on a machine that has no time zones, and so is in UTC", (timezone) => {
    const { create } = scripts("app", user.name, "0 3 * * *", { timezone });
    const without = 'mount -t tmpfs none /usr/share/zoneinfo && exec /bin/sh -c "$1"';
    const { code, stderr } = runScript(`exec unshare --mount /bin/sh -c ${quote(without)} sh ${quote(create)}`);
    expect(code, stderr).toBe(0);
    expect(user.read()).toBe(line("app", "0 3 * * *"));
  });

  it("never overwrite a crontab that could not be read", () => {
    user.write(`${theirs}\n`);
    const folder = new TemporaryFolder();
    try {
      folder.program(
        "crontab",
        `#!/bin/sh\ncase $* in *-l) echo 'disk error' >&2; exit 1 ;; *) exec /usr/bin/crontab "$@" ;; esac\n`,
      );
      const environment = { PATH: `${folder.path}:${process.env.PATH ?? ""}` };
      const result = runScript(scripts("app", user.name, "0 3 * * *").create, { environment });
      expect(result).toMatchObject({ code: 1, stdout: "" });
      expect(result.stderr).toMatch(/cannot read the crontab of \S+ on \S+: disk error\n$/);
      expect(user.read()).toBe(`${theirs}\n`);
    } finally {
      folder.remove();
    }
  });
});

describe("a schedule's scripts without systemd and crontab", () => {
  it("say that nothing starts the job", () => {
    const folder = new TemporaryFolder(true);
    try {
      for (const name of ["id", "hostname"]) folder.program(name, `#!/bin/sh\nPATH=/usr/bin:/bin exec ${name} "$@"\n`);
      const script = scripts("app", "nobody", "0 3 * * *", { scheduler: "auto" }).create;
      const environment = { PATH: folder.path, HOME: folder.path };
      expect(runScript(script, { asOther: true, environment })).toEqual({ code: 0, stdout: "none\n", stderr: "" });
      const wanted = scripts("app", "nobody", "0 3 * * *", { scheduler: "crontab" }).create;
      const result = runScript(wanted, { asOther: true, environment });
      expect(result).toMatchObject({ code: 1, stdout: "" });
      expect(result.stderr).toMatch(
        /^There is no crontab on \S+: install cron, or set provision:host\.scheduler to none\.\n$/,
      );
    } finally {
      folder.remove();
    }
  });
});

describe("crontabLine", () => {
  it("runs what it was given, per cent signs and odd names included, and shows the log's end when that fails", () => {
    const folder = new TemporaryFolder();
    try {
      const log = join(folder.path, "it's 100%.log");
      const argv = ["/bin/sh", "-c", 'echo "$GREETING $1 50%"; exit 3', "sh", "a b"];
      const text = crontabLine("0 3 * * *", parseCron("0 3 * * *"), { environment: { GREETING: "it's" }, argv }, log);
      expect(text.slice(0, 10)).toBe("0 3 * * * ");
      expect(text.replaceAll("\\%", "")).not.toContain("%");
      // What cron hands to the shell.
      const result = runScript(text.slice(10).replaceAll("\\%", "%"));
      expect(result.stdout).toBe("it's a b 50%\n");
      expect(readFileSync(log, "utf8")).toBe("it's a b 50%\n");
    } finally {
      folder.remove();
    }
  });
});
