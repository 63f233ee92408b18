import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BackupHost, type BackupHostArgs } from "../../../components/host/backup-host.ts";
import { JobConfig, JobSettings } from "../../../providers/config.ts";
import { isSecret, mockEngine, registered, unwrap, type RecordedResource } from "../../helpers/mocks.ts";

const MARKER = "s3cr3t-m4rker";
const source = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");

const app = JobSettings.parse({
  name: "app",
  schedule: { cron: "0 3 * * *", timezone: "America/Sao_Paulo" },
  database: { kind: "postgres", url: { secret: "appUrl" } },
  destinations: [{ kind: "filesystem" }, { kind: "filesystem", path: "/srv/b", prefix: "x" }],
});
const web = JobSettings.parse({
  name: "web",
  database: { kind: "postgres", url: { secret: "webUrl" } },
  destinations: [{ kind: "filesystem" }],
});

function args(changes: Partial<BackupHostArgs> = {}): BackupHostArgs {
  return {
    stack: "dev",
    host: { directory: "/srv/provision", removeBackupsOnDestroy: false, scheduler: "auto" },
    jobs: [app, web],
    secrets: {
      appUrl: `app-${MARKER}`,
      webUrl: pulumi.secret(`web-${MARKER}`),
      sshKey: pulumi.secret(`ssh-${MARKER}`),
    },
    jobSecretNames: ["appUrl", "webUrl"],
    source,
    ...changes,
  };
}

function commands(recorded: readonly RecordedResource[]): Map<string, Readonly<Record<string, unknown>>> {
  return new Map(recorded.filter(({ type }) => type.startsWith("command:")).map(({ name, inputs }) => [name, inputs]));
}

describe.each([false, true])("BackupHost on this machine (preview: %s)", (preview) => {
  it("registers one resource for each thing on the machine", async () => {
    const recorded = await mockEngine({ preview });
    await registered(new BackupHost("host", args()));
    expect(recorded.map(({ type, name }) => `${type} ${name}`).sort()).toEqual([
      "command:local:Command host-app-file",
      "command:local:Command host-app-schedule-timer",
      "command:local:Command host-backups-paths",
      "command:local:Command host-folder-path",
      "command:local:Command host-secrets-file",
      "command:local:Command host-web-file",
      "command:local:Command provision-first-stack",
      "provision:host:BackupFolders host-backups",
      "provision:host:BackupHost host",
      "provision:host:Folder host-folder",
      "provision:host:JobFile host-app",
      "provision:host:JobFile host-web",
      "provision:host:Program host-program",
      "provision:host:Schedule host-app-schedule",
      "provision:host:SecretsFile host-secrets",
    ]);
  });

  it("hands over the jobs' secrets, and no other, as a secret on standard input alone", async () => {
    const recorded = await mockEngine({ preview });
    await registered(new BackupHost("host", args()));
    const all = commands(recorded);
    const file = all.get("host-secrets-file");
    const stdin = file?.stdin;
    if (!isSecret(stdin)) throw new Error("stdin went to the engine in plain");
    expect(JSON.parse(String(stdin.value))).toEqual({ appUrl: `app-${MARKER}`, webUrl: `web-${MARKER}` });
    expect(file).toMatchObject({ logging: "none", addPreviousOutputInEnv: false });
    all.delete("host-secrets-file");
    expect(all.size).toBe(6);
    expect(JSON.stringify([...all, { ...file, stdin: "" }])).not.toContain(MARKER);
  });

  it("writes job files that the runner reads, with the stack's name and own folder in them", async () => {
    const recorded = await mockEngine({ preview });
    await registered(new BackupHost("host", args()));
    const job = JobConfig.parse(JSON.parse(String(commands(recorded).get("host-app-file")?.stdin)));
    const { schedule, ...rest } = app;
    expect(schedule).toBeDefined();
    expect(job).toEqual({
      ...rest,
      stack: "dev",
      owner: { id: expect.stringMatching(/^[0-9a-f]{32}$/) as string, name: "provision/dev" },
      destinations: [{ ...app.destinations[0], path: "/srv/provision/backups" }, app.destinations[1]],
    });
  });

  it("keeps a renamed job's backups in the folder of its first name", async () => {
    const recorded = await mockEngine({ preview });
    const host = new BackupHost("host", args({ jobs: [{ ...app, name: "shop", rename: { from: ["app"] } }] }));
    await registered(host);
    const file = commands(recorded).get("host-shop-file");
    const written = JSON.parse(String(file?.stdin)) as object;
    expect(JobConfig.parse(written).name).toBe("app");
    expect(written).not.toHaveProperty("rename");
    expect(String(file?.create)).toContain("/srv/provision/jobs/shop.json");
    expect(String(commands(recorded).get("host-shop-schedule-timer")?.create)).toContain("unit='provision.dev.shop'");
    expect(await unwrap(pulumi.output(host.jobs.shop?.backups))).toContain(
      "filesystem: /srv/provision/backups/dev/app",
    );
  });

  it("schedules a job's drills beside its backups, with no word of when in its file", async () => {
    const recorded = await mockEngine({ preview });
    const checks = [{ name: "orders", sql: "SELECT count(*) FROM orders", atLeast: 1, timeoutSeconds: 60 }];
    const server = { target: { secret: "webUrl" }, rootCertificate: "system", checks };
    const drill = { schedule: { cron: "0 6 * * 0", timezone: "UTC" }, ...server };
    const host = new BackupHost(
      "host",
      args({
        jobs: [
          { ...app, drill },
          { ...web, drill: { target: drill.target } },
        ],
      }),
    );
    await registered(host);
    const all = commands(recorded);
    expect([...all.keys()].filter((name) => name.endsWith("-timer")).sort()).toEqual([
      "host-app-drill-schedule-timer",
      "host-app-schedule-timer",
    ]);
    const timer = String(all.get("host-app-drill-schedule-timer")?.create);
    expect(timer).toContain("unit='provision.dev.app.drill'");
    expect(timer).toMatch(/ExecStart=.*"drill" "--job"/);
    expect(timer).not.toContain("PROVISION_SCHEDULE");
    expect(JobConfig.parse(JSON.parse(String(all.get("host-app-file")?.stdin))).drill).toEqual(server);
    expect(host.jobs.app?.drill).toContain(" drill --job /srv/provision/jobs/app.json");
    expect(host.jobs.web?.drill).toContain(" drill --job /srv/provision/jobs/web.json");
  });

  it("lets a run write to its own folders and to the scratch folder that the job names", async () => {
    const recorded = await mockEngine({ preview });
    const database = { ...app.database, scratch: "/mnt/scratch" };
    await registered(new BackupHost("host", args({ jobs: [JobSettings.parse({ ...app, database })] })));
    const { create } = commands(recorded).get("host-app-schedule-timer") ?? {};
    expect(String(create)).toContain(
      'ReadWritePaths="/srv/provision" "/srv/provision/backups" "/srv/b" "/mnt/scratch"\n',
    );
  });

  it("schedules a job's reports, which know when its backups run and are signed where there is a key", async () => {
    const recorded = await mockEngine({ preview });
    const report = { schedule: { cron: "0 7 * * 1", timezone: "UTC" }, publish: true } as const;
    const signed = { ...web, report: { ...report, keep: 5 }, signing: { key: { secret: "webUrl" } } };
    const host = new BackupHost("host", args({ jobs: [{ ...app, report }, signed] }));
    await registered(host);
    const all = commands(recorded);
    const timer = String(all.get("host-app-report-schedule-timer")?.create);
    expect(timer).toContain("unit='provision.dev.app.report'");
    expect(timer).toMatch(/ExecStart=.*"report" "--publish" "--job"/);
    expect(timer).toContain("OnCalendar=Mon *-*-* 07:00:00 UTC");
    expect(timer).toContain("PROVISION_SCHEDULE=0 3 * * * America/Sao_Paulo");
    expect(String(all.get("host-web-report-schedule-timer")?.create)).toMatch(
      /"report" "--publish" "--sign" "--keep" "5" "--job"/,
    );
    expect(JSON.parse(String(all.get("host-app-file")?.stdin))).not.toHaveProperty("report");
    expect(host.jobs.app?.report).toContain(" report --job /srv/provision/jobs/app.json");
  });

  it("removes backups only where the settings say so, and then no more than those of its jobs", async () => {
    const keeping = await mockEngine({ preview });
    await registered(new BackupHost("host", args()));
    expect(commands(keeping).get("host-backups-paths")).toBeDefined();
    expect(commands(keeping).get("host-backups-paths")).not.toHaveProperty("delete");
    const removing = await mockEngine({ preview });
    await registered(new BackupHost("host", args({ host: { ...args().host, removeBackupsOnDestroy: true } })));
    const inputs = commands(removing).get("host-backups-paths");
    expect(inputs).not.toHaveProperty("triggers");
    expect(String(inputs?.create).match(/^make .*$/gm)).toEqual(["make '/srv/provision/backups'", "make '/srv/b'"]);
    expect(String(inputs?.delete).match(/(?<=^ {2}rm -rf ).*$/gm)).toEqual([
      "'/srv/provision/backups/dev/app'",
      "'/srv/b/x/dev/app'",
      "'/srv/provision/backups/dev/web'",
    ]);
    expect(commands(removing).get("host-backups-kept")).toBeDefined();
  });

  it("reaches another machine over SSH, with the key as a secret", async () => {
    const recorded = await mockEngine({ preview });
    const connection = {
      host: "db1",
      port: 2222,
      user: "ops",
      privateKey: { secret: "sshKey" },
      hostKey: "ssh-ed25519 A",
    };
    const host = new BackupHost("host", args({ host: { ...args().host, connection, user: "backup" } }));
    await registered(host);
    const remote = recorded.filter(({ type }) => type === "command:remote:Command");
    expect(remote.map(({ name }) => name)).toContain("host-program-copy");
    expect(remote).toHaveLength(7);
    const here = recorded.filter(({ type }) => type === "command:local:Command");
    expect(here.map(({ name, inputs }) => [name, inputs.create])).toEqual([["provision-first-stack", "exit 0"]]);
    for (const { inputs } of remote) {
      const sent = inputs.connection;
      const whole = isSecret(sent) ? sent.value : sent;
      const { privateKey, ...rest } = whole as Record<string, unknown>;
      expect(rest).toMatchObject({ host: "db1", port: 2222, user: "ops", hostKey: "ssh-ed25519 A" });
      expect(isSecret(sent) || isSecret(privateKey)).toBe(true);
      expect(inputs).not.toHaveProperty("environment");
    }
    expect(await unwrap(pulumi.output(host.jobs.app?.run))).toBe(
      "ssh -p 2222 ops@db1 'sudo -u backup env PROVISION_SECRETS_FILE=/srv/provision/secrets.json " +
        "/srv/provision/program/current/node /srv/provision/program/current/runner/cli.js backup --job /srv/provision/jobs/app.json'",
    );
    expect(await unwrap(pulumi.output(host.jobs.app?.backups))).toEqual([
      "filesystem: /srv/provision/backups/dev/app",
      "filesystem: /srv/b/x/dev/app",
    ]);
  });

  it("reaches a machine whose address another resource makes", async () => {
    const recorded = await mockEngine({ preview });
    const connection = { host: pulumi.output(Promise.resolve("10.0.0.7")), port: 22, user: "ops" };
    const host = new BackupHost("host", args({ host: { ...args().host, connection } }));
    await registered(host);
    for (const { inputs } of recorded.filter(({ type }) => type === "command:remote:Command")) {
      const sent = inputs.connection;
      expect(isSecret(sent) ? sent.value : sent).toMatchObject({ host: "10.0.0.7", user: "ops" });
    }
    expect(await unwrap(pulumi.output(host.jobs.app?.list))).toMatch(/^ssh -p 22 ops@10\.0\.0\.7 /);
  });
});

describe("BackupHost", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("tells how each job is scheduled", async () => {
    await mockEngine({ stdout: (name) => (name.endsWith("-timer") ? "systemd system" : "") });
    const host = new BackupHost("host", args());
    expect(await unwrap(pulumi.output(host.jobs.app?.scheduled))).toBe("systemd system");
    expect(host.jobs.web?.scheduled).toBe("by hand");
    expect(host.jobs.web).not.toHaveProperty("drill");
  });

  it("warns with the command to run where nothing can start a job", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    await mockEngine({ stdout: (name) => (name.endsWith("-timer") ? "none\nAnd a note." : "") });
    const host = new BackupHost("host", args());
    expect(await unwrap(pulumi.output(host.jobs.app?.scheduled))).toBe("none");
    expect(warn.mock.calls.flat()).toEqual([
      "warning: [runtime] And a note.",
      "warning: [runtime] Nothing on localhost can start the job app: it has neither systemd nor crontab. " +
        `Start it yourself at "0 3 * * *" (America/Sao_Paulo), with: ${await unwrap(pulumi.output(host.jobs.app?.run ?? ""))}`,
    ]);
  });

  it("copies what the runner needs and nothing else, in little space", async () => {
    const recorded = await mockEngine();
    const connection = { host: "db1", port: 22, user: "root" };
    await registered(new BackupHost("host", args({ host: { ...args().host, connection } })));
    const text = String(commands(recorded).get("host-program-copy")?.stdin);
    expect(text.length).toBeLessThan(600_000);
    const files = JSON.parse(brotliDecompressSync(Buffer.from(text, "base64")).toString()) as Record<string, string>;
    const packagesOf = (lock = "") =>
      Object.entries((JSON.parse(lock) as { packages: Record<string, { dev?: boolean }> }).packages).slice(1);
    const whole = packagesOf(readFileSync(join(source, "package-lock.json"), "utf8"));
    expect(packagesOf(files["package-lock.json"])).toEqual(whole.filter(([, { dev }]) => dev !== true));
    expect(files["package.json"]).not.toContain("devDependencies");
    expect(Object.keys(files)).toContain("providers/config.ts");
    const foreign = Object.keys(files).filter(
      (name) => !/^(providers|runner)\/|^package(-lock)?\.json$|^\.npmrc$/.test(name),
    );
    expect(foreign).toEqual([]);
  });

  it("updates a copy only when its content changes", async () => {
    const folder = mkdtempSync(join(tmpdir(), "provision-test-"));
    try {
      for (const part of ["package.json", "package-lock.json", ".npmrc", "providers", "runner"]) {
        cpSync(join(source, part), join(folder, part), { recursive: true });
      }
      const host = { ...args().host, connection: { host: "db1", port: 22, user: "root" } };
      const copy = async () => {
        const recorded = await mockEngine();
        const first = { name: pulumi.output("dev"), id: pulumi.output("0123") };
        await registered(new BackupHost("host", args({ host, first, source: folder })));
        return commands(recorded).get("host-program-copy");
      };
      const first = await copy();
      expect(await copy()).toEqual(first);
      writeFileSync(join(folder, "runner", "new.ts"), "");
      const changed = await copy();
      expect(changed?.create).not.toBe(first?.create);
      expect(changed?.triggers).toEqual(first?.triggers);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
