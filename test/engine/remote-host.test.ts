import { execFile } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { quote } from "../../components/host/shell.ts";
import { JobConfig } from "../../providers/config.ts";
import { secret, startEngine, type Engine, type EngineStack, type StackConfig } from "../../tools/engine.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { startSshd, type Sshd } from "../helpers/sshd.ts";

const run = promisify(execFile);
const program = fileURLToPath(new URL("../../index.ts", import.meta.url));
const MARKER = "rem0te-m4rker";

describe("a stack of the host target on a machine behind SSH, on the real engine", () => {
  let engine: Engine;
  let sshd: Sshd;
  let server: Postgres;
  let folder: TemporaryFolder;
  let tools: TemporaryFolder;
  let directory: string;
  let stack: EngineStack;
  let printed = "";

  const config = (url: string, jobs = ["app", "web"], removeBackupsOnDestroy = false): StackConfig => ({
    secrets: { appUrl: secret(url), sshKey: secret(sshd.privateKey) },
    jobs: jobs.map((name) => ({
      name,
      schedule: { cron: "0 3 * * *" },
      database: { kind: "postgres", url: { secret: "appUrl" } },
      destinations: [{ kind: "filesystem" }],
    })),
    host: {
      directory,
      scheduler: "none",
      removeBackupsOnDestroy,
      node: join(tools.path, "node"),
      connection: {
        host: sshd.host,
        port: sshd.port,
        user: sshd.user,
        hostKey: sshd.hostKey,
        privateKey: { secret: "sshKey" },
      },
    },
  });
  const up = async (url: string, jobs?: readonly string[]) => {
    await stack.configure(config(url, jobs === undefined ? undefined : [...jobs]));
    const outcome = await stack.up();
    printed += outcome.output + (await stack.exportState());
    return outcome.steps.filter(({ type }) => type.startsWith("command:")).map(({ op, name }) => `${op} ${name}`);
  };

  beforeAll(async () => {
    engine = await startEngine();
    sshd = await startSshd();
    server = await startPostgres();
    folder = new TemporaryFolder();
    tools = nodeWithSettings();
    directory = join(folder.path, "provision");
    stack = await engine.stack({ config: config(`postgres://u:${MARKER}@db/app`), program });
  });
  afterAll(async () => {
    await server.stop();
    await sshd.stop();
    folder.remove();
    tools.remove();
    await engine.stop();
  });

  it("copies the program, installs what it needs and writes its files", async () => {
    await up(`postgres://u:${MARKER}@db/app`);
    expect(readdirSync(directory).sort()).toEqual([".owner", "backups", "jobs", "logs", "program", "secrets.json"]);
    expect(statSync(join(directory, "secrets.json")).mode & 0o777).toBe(0o600);
    // The key that opens the machine is not on it.
    expect(JSON.parse(readFileSync(join(directory, "secrets.json"), "utf8"))).toEqual({
      appUrl: `postgres://u:${MARKER}@db/app`,
      provisionSigningKey: expect.stringMatching(/^provision-key-/) as string,
    });
    expect(() => JobConfig.parse(JSON.parse(readFileSync(join(directory, "jobs/web.json"), "utf8")))).not.toThrow();
    expect(existsSync(join(directory, "program/current/node_modules/@pulumi"))).toBe(false);
  }, 300_000);

  it("has a program there that runs", async () => {
    const current = join(directory, "program/current");
    const { stdout } = await run(join(current, "node"), [join(current, "runner/cli.js"), "--help"], { env: {} });
    expect(stdout).toContain("Usage: provision");
    const { stdout: version } = await run(join(current, "node"), ["--version"], { env: {} });
    expect(version).toMatch(/^v24\./);
  });

  it("changes nothing the second time, and only what it must after that", async () => {
    await stack.preview({ expectNoChanges: true });
    expect(await up(server.url("postgres"))).toEqual(["update host-secrets-file"]);
    expect((await up(server.url("postgres"), ["app"])).sort()).toEqual([
      "delete host-web-file",
      "delete host-web-schedule-timer",
    ]);
    expect(readdirSync(join(directory, "jobs"))).toEqual(["app.json"]);
  });

  it("makes a verified backup there, with nothing in its environment", async () => {
    const { app } = (await stack.outputs()).jobs?.value as Record<string, Record<string, string>>;
    // What stands in quotes after ssh and the address is what the machine's own shell runs.
    const onMachine = (command: string | undefined) => /^ssh -p \d+ \S+ '(.*)'$/.exec(command ?? "")?.[1] ?? "";
    const { stdout } = await run("/bin/sh", ["-c", `${onMachine(app?.run)} --json`], { env: {}, cwd: "/" });
    expect(readdirSync(join(directory, "backups/dev/app"))).toEqual([
      expect.stringMatching(/^\d{8}T\d{6}Z-/),
      "owners",
    ]);
    expect(JSON.parse(stdout)).toBeTypeOf("object");
    const { stdout: list } = await run("/bin/sh", ["-c", onMachine(app?.list)], { env: {}, cwd: "/" });
    expect(list).toContain("verified");
  });

  it("removes that backup, and everything else, when it is destroyed and the settings say so", async () => {
    await stack.configure(config(server.url("postgres"), ["app"], true));
    printed += (await stack.up()).output;
    printed += (await stack.destroy()).output;
    expect(existsSync(directory)).toBe(false);
  });

  it("has shown no secret, and kept its state small", () => {
    expect(printed).toContain("host-program-copy");
    expect(printed.length).toBeLessThan(4_200_000);
    for (const text of [
      MARKER,
      Buffer.from(`u:${MARKER}`).toString("base64"),
      server.password,
      sshd.privateKey.split("\n")[2] ?? "-",
    ]) {
      expect(printed).not.toContain(text);
    }
  });
});

/**
 * A folder with a node and an npm that find the registry: a login over SSH has another environment than the tests, which
 * may name a certificate or a proxy that npm needs.
 */
function nodeWithSettings(): TemporaryFolder {
  const tools = new TemporaryFolder();
  const settings = Object.entries(process.env).filter(([name]) =>
    /^npm_config_|_proxy$|^NODE_EXTRA_CA_CERTS$/i.test(name),
  );
  const exports = settings.map(([name, value]) => `export ${name}=${quote(value ?? "")}\n`).join("");
  const npm = join(dirname(process.execPath), "npm");
  tools.program("node", `#!/bin/sh\n${exports}exec ${quote(process.execPath)} "$@"\n`);
  tools.program("npm", `#!/bin/sh\n${exports}exec ${existsSync(npm) ? quote(npm) : "/usr/bin/npm"} "$@"\n`);
  return tools;
}
