import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { scheduleScripts, type Scheduler } from "../../../components/host/schedule-scripts.ts";
import { renderSystemdUnits, type SystemdUnitsArgs } from "../../../components/host/systemd-units.ts";
import { hasProgram } from "../../helpers/programs.ts";
import { runScript, TemporaryFolder, type ScriptOptions } from "../../helpers/script.ts";

const args: SystemdUnitsArgs = {
  description: "the backup job app of the stack dev",
  command: ["/usr/bin/env", '/srv/odd 100% $HOME "quoted"/cli.js', "backup"],
  environment: { PROVISION_SECRETS_FILE: "/srv/odd 100% $x/secrets.json" },
  writable: ["/srv", "/var"],
  timeoutMinutes: 90,
  calendar: ["*-*-13 04:00:00 Asia/Tokyo", "Fri *-*-* 04:00:00 Asia/Tokyo"],
  user: "daemon",
};

describe("the units of a timer", () => {
  it.runIf(hasProgram("systemd-analyze", "units are verified only where systemd is installed"))(
    "are accepted by systemd-analyze verify without a word",
    () => {
      const folder = new TemporaryFolder();
      try {
        const units = renderSystemdUnits(args);
        for (const kind of ["system", "user"] as const) {
          const service = join(folder.path, `provision.dev.${kind}.service`);
          writeFileSync(service, units[`${kind}Service`]);
          writeFileSync(join(folder.path, `provision.dev.${kind}.timer`), units.timer);
          // It says what is wrong on its standard error, and exits with 0 for some of it.
          const out = runScript(`systemd-analyze verify --man=no "$FILE" "\${FILE%service}timer" 2>&1`, {
            environment: { FILE: service },
          });
          const about = out.stdout.split("\n").filter((line) => line.includes("provision."));
          expect({ code: out.code, about }).toEqual({ code: 0, about: [] });
        }
      } finally {
        folder.remove();
      }
    },
  );

  it("give the run its time, its user, its folders and no more", () => {
    const { systemService, timer } = renderSystemdUnits(args);
    expect(systemService.split("\n")).toEqual(
      expect.arrayContaining([
        "User=daemon",
        "TimeoutStartSec=5700",
        "KillMode=mixed",
        "UMask=0077",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "PrivateTmp=yes",
        'ReadWritePaths="/srv" "/var"',
        'Environment="PROVISION_SECRETS_FILE=/srv/odd 100%% $x/secrets.json"',
        String.raw`ExecStart="/usr/bin/env" "/srv/odd 100%% $$HOME \"quoted\"/cli.js" "backup"`,
      ]),
    );
    expect(timer).toContain(
      "OnCalendar=*-*-13 04:00:00 Asia/Tokyo\nOnCalendar=Fri *-*-* 04:00:00 Asia/Tokyo\nPersistent=true\n",
    );
  });

  it("leave /tmp as it is for a stack that lives there", () => {
    const { systemService } = renderSystemdUnits({ ...args, writable: ["/tmp/demo"] });
    expect(systemService).toContain("PrivateTmp=no\n");
    // Programs write their scratch files there.
    expect(systemService).toContain('ReadWritePaths="/tmp/demo" "/tmp" "/var/tmp"\n');
  });
});

/** Behaves as systemctl where the scripts can notice it: knows what it has loaded, and refuses everything else. */
const systemctl = `#!/bin/sh
echo "$*" >>"$FAKE/calls"
units=/etc/systemd/system
if [ "$1" = --user ]; then units=$HOME/.config/systemd/user; shift; fi
loaded() { [ -e "$FAKE/loaded/$1" ] && cmp -s "$FAKE/loaded/$1" "$units/$1" || { echo "$1 is not loaded as it stands" >&2; exit 5; }; }
case "$# $*" in
  '1 daemon-reload') rm -rf "$FAKE/loaded"; mkdir "$FAKE/loaded"; cp "$units"/provision.* "$FAKE/loaded" 2>/dev/null || true ;;
  '2 enable '*.timer) loaded "$2"; loaded "\${2%timer}service"; touch "$FAKE/enabled" ;;
  '2 restart '*.timer) loaded "$2"; [ -e "$FAKE/enabled" ]; touch "$FAKE/active" ;;
  '3 disable --now '*.timer) loaded "$3"; rm -f "$FAKE/enabled" "$FAKE/active" ;;
  '2 stop '*.service) ;;
  *) echo "unexpected: systemctl $*" >&2; exit 64 ;;
esac
`;

describe("a schedule's scripts with systemd (a stand-in for systemctl, since tests run where systemd does not)", () => {
  let folder: TemporaryFolder;
  let options: ScriptOptions;
  const unit = `provision.test-${process.pid}.app`;
  const scripts = (hour: number, scheduler: Scheduler = "systemd") =>
    scheduleScripts({
      unit,
      owner: { id: "0123", holder: "abcd", name: "org/project/test/backups", adopt: false },
      units: renderSystemdUnits({ ...args, calendar: [`*-*-* 0${hour}:00:00 UTC`] }),
      line: "0 3 * * * true",
      timezone: "UTC",
      scheduler,
    });
  const calls = () => readFileSync(join(folder.path, "calls"), "utf8").trim().split("\n");

  beforeEach(() => {
    folder = new TemporaryFolder(true);
    folder.program("systemctl", systemctl);
    folder.program("loginctl", '#!/bin/sh\n[ "$1" = show-user ] && cat "$FAKE/linger" || exit 1\n');
    writeFileSync(join(folder.path, "linger"), "yes\n");
    options = {
      asOther: true,
      environment: { FAKE: folder.path, HOME: folder.path, PATH: `${folder.path}:/usr/bin:/bin` },
    };
  });
  afterEach(() => {
    folder.remove();
  });

  it("install a user's timer, change it, and remove it with its service", () => {
    const timer = join(folder.path, ".config/systemd/user", `${unit}.timer`);
    const first = scripts(3);
    expect(runScript(first.create, options)).toEqual({ code: 0, stdout: "systemd user\n", stderr: "" });
    expect(readFileSync(timer, "utf8")).toContain("OnCalendar=*-*-* 03:00:00 UTC\n");
    expect(calls()).toEqual(["--user daemon-reload", `--user enable ${unit}.timer`, `--user restart ${unit}.timer`]);
    expect(runScript(scripts(4).create, options).code).toBe(0);
    expect(readFileSync(timer, "utf8")).toContain("OnCalendar=*-*-* 04:00:00 UTC\n");
    expect(runScript(first.delete, options)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(existsSync(timer)).toBe(false);
    expect(existsSync(timer.replace(/timer$/, "service"))).toBe(false);
    expect(existsSync(join(folder.path, "active"))).toBe(false);
    expect(calls().slice(-3)).toEqual([
      `--user disable --now ${unit}.timer`,
      `--user stop ${unit}.service`,
      "--user daemon-reload",
    ]);
    const before = calls().length;
    expect(runScript(first.delete, options).code).toBe(0);
    expect(calls()).toHaveLength(before);
  });

  it("remove the timer when something else is to start the job", () => {
    runScript(scripts(3).create, options);
    expect(runScript(scripts(3, "none").create, options)).toMatchObject({ code: 0, stdout: "none\n" });
    expect(existsSync(join(folder.path, ".config/systemd/user", `${unit}.timer`))).toBe(false);
  });

  it("warn when the timers of a user end with the session", () => {
    writeFileSync(join(folder.path, "linger"), "no\n");
    const [how, warning] = runScript(scripts(3).create, options).stdout.split("\n");
    expect(how).toBe("systemd user");
    expect(warning).toMatch(/^The timers of \S+ stop when \S+ logs out\. .* sudo loginctl enable-linger \S+$/);
  });

  it("leave nothing behind when systemd refuses", () => {
    folder.program("systemctl", "#!/bin/sh\necho 'System has not been booted with systemd' >&2\nexit 1\n");
    const { code, stderr } = runScript(scripts(3).create, options);
    expect(code).toBe(1);
    expect(stderr).toContain("System has not been booted with systemd");
    expect(stderr).toContain("Repair it, or set provision:host.scheduler to crontab or none.");
    expect(existsSync(join(folder.path, ".config/systemd/user", `${unit}.timer`))).toBe(false);
  });

  const root = process.getuid?.() === 0;
  if (!root) console.warn("Not root: system units are not installed in this test.");
  it.runIf(root)("install system units for root", () => {
    const asRoot = { environment: options.environment ?? {} };
    const { create, delete: remove } = scripts(3);
    try {
      expect(runScript(create, asRoot)).toEqual({ code: 0, stdout: "systemd system\n", stderr: "" });
      expect(readFileSync(`/etc/systemd/system/${unit}.service`, "utf8")).toContain("\nUser=daemon\n");
      expect(calls()).toContain(`enable ${unit}.timer`);
    } finally {
      expect(runScript(remove, asRoot).code).toBe(0);
    }
    expect(existsSync(`/etc/systemd/system/${unit}.service`)).toBe(false);
  });
});
