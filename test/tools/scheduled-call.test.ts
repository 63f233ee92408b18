import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { parseCron } from "../../providers/fields/cron.ts";
import { crontabLine } from "../../components/host/crontab-line.ts";
import { scheduledCall } from "../../tools/scheduled-call.ts";
import { TemporaryFolder } from "../helpers/script.ts";

const UNIT = "provision.demo.shop";

let folder: TemporaryFolder;
beforeEach(() => {
  folder = new TemporaryFolder();
  vi.stubEnv("PATH", `${folder.path}:${process.env.PATH ?? ""}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  folder.remove();
});

/** Has `crontab -l` print these lines. */
function crontab(...lines: readonly string[]): void {
  folder.program("crontab", `#!/bin/sh\ncat <<'END'\n${lines.join("\n")}\nEND\n`);
}

it("is what the crontab says, with nothing in its environment but what cron sets", async () => {
  const log = `${folder.path}/log`;
  const argv = ["/bin/sh", "-c", "echo 100% $GREETING; env | sort"];
  const line = crontabLine("0 3 * * 1-5", parseCron("0 3 * * 1-5"), { environment: { GREETING: "hi" }, argv }, log);
  crontab("MAILTO=me", `1 2 3 4 5 echo other # ${UNIT}.drill`, `${line} # ${UNIT}`);
  const { program, args, env, cwd } = await scheduledCall("crontab", UNIT, "");
  expect(spawnSync(program, args, { env, cwd, encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
  const [first, ...variables] = spawnSync("cat", [log], { encoding: "utf8" }).stdout.trim().split("\n");
  expect(first).toBe("100% hi");
  // PWD and _ are the shell's own.
  const names = variables.map((variable) => variable.split("=")[0]).filter((name) => name !== "PWD" && name !== "_");
  expect(names).toEqual(["GREETING", "HOME", "LOGNAME", "PATH", "SHELL"]);
});

it.each([
  ["systemd system", ["start", `${UNIT}.service`]],
  ["systemd user", ["--user", "start", `${UNIT}.service`]],
])("is the start of the service by %s", async (how, args) => {
  expect(await scheduledCall(how, UNIT, "")).toMatchObject({ program: "systemctl", args });
});

it("is the command for people where nothing starts the job", async () => {
  const { args, env } = await scheduledCall("none", UNIT, "echo hello");
  expect(args).toEqual(["-c", "echo hello"]);
  expect(Object.keys(env).sort()).toEqual(["HOME", "LOGNAME", "PATH", "SHELL"]);
});

it("is none where the crontab has no line of the job", async () => {
  crontab(`1 2 3 4 5 echo other # ${UNIT}.drill`);
  await expect(scheduledCall("crontab", UNIT, "")).rejects.toThrow(`has no line of ${UNIT}.`);
});
