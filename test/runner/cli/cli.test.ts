import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { STORE_MARK } from "../../../providers/layout.ts";
import type { Check } from "../../../providers/database/database.ts";
import type { BackupReport } from "../../../runner/operations/backup/report.ts";
import { newBackupId } from "../../../runner/backups/catalogue/backup-id.ts";
import type { Manifest } from "../../../runner/backups/documents/manifest.ts";
import type { PruneReport } from "../../../runner/operations/prune.ts";
import type { Restored } from "../../../runner/operations/restore.ts";
import type { Verification } from "../../../runner/operations/verify.ts";
import { compareDatabases } from "../../../tools/compare-databases.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../tools/sample-database.ts";
import { emptyDatabase, relationCount } from "../../helpers/databases.ts";
import { ensureProgram } from "../../helpers/ensure-program.ts";
import { backupFolder, foldersOf, listed, makeBackup, printed } from "../../helpers/reports.ts";
import { Sandbox, type Running } from "../../helpers/sandbox.ts";
import { fill, filesIn, openStore } from "../../helpers/store.ts";
import { Gate } from "../../helpers/gate.ts";
import { query } from "../../../tools/query.ts";

const haveTools = (await ensureProgram("age", "age")) && (await ensureProgram("zstd", "zstd"));
const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);
const encryption = { recipients: [recipient], identity: { env: "AGE_IDENTITY" } };

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 2 });
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(postgres.url("shop"));
  sandbox.environment.AGE_IDENTITY = identity;
});
afterEach(() => {
  sandbox.remove();
});

/** Restores into a new, empty database and compares that with the backup's. */
async function restoreAndCompare(...args: string[]): Promise<Restored> {
  sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy");
  const restored = printed(await sandbox.run("restore", "--to", "env:TARGET_URL", "--json", ...args)) as Restored;
  const { tables, differences } = await compareDatabases(postgres.url("shop"), postgres.url("copy"));
  expect(differences).toEqual([]);
  expect(tables.length).toBeGreaterThan(10);
  return restored;
}

/** A job one of whose programs waits until it may go on: pg_dump, if no other is named. */
function makeSlow(client: Parameters<Sandbox["replaceClient"]>[0] = "pg_dump"): {
  begun: (run: Running) => Promise<void>;
  goOn: () => void;
} {
  const [begun, go] = [join(sandbox.path, "begun"), join(sandbox.path, "go")];
  const wait = `while [ ! -e '${go}' ]; do sleep 0.05; done`;
  sandbox.replaceClient(client, postgres.binDirectory, `touch '${begun}'; ${wait}; exec "$real" "$@"`);
  return {
    begun: async (run) => {
      while (!existsSync(begun)) {
        if (run.child.exitCode !== null) throw new Error((await run.ended).stderr);
        await sleep(10);
      }
    },
    goOn: () => {
      writeFileSync(go, "");
    },
  };
}

describe.each([
  ["without encryption", undefined, ""],
  ["with encryption", encryption, ".age"],
])("the whole life of a backup %s", (_name, chosen, ending) => {
  beforeEach(() => {
    if (chosen) sandbox.job.encryption = chosen;
  });

  it("backup, list, verify, restore, prune", async () => {
    const report = await makeBackup(sandbox);
    expect(report).toMatchObject({
      status: "ok",
      exitCode: 0,
      omitted: [],
      objects: [{ file: `database.dump.zst${ending}` }, { file: `roles.sql.zst${ending}` }],
      destinations: [{ stored: true, verification: { outcome: "verified", problems: [] }, errors: [] }],
    });
    const { id } = report;
    const folder = backupFolder(sandbox, id);
    expect(filesIn(folder)).toEqual([
      `database.dump.zst${ending}`,
      "manifest.json",
      `roles.sql.zst${ending}`,
      expect.stringMatching(/^verified-\d{8}T\d{6}Z\.json$/),
    ]);
    const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as Manifest;
    expect(manifest).toMatchObject({
      format: 2,
      id,
      stack: "test",
      job: "app",
      database: { kind: "postgres", name: "shop", encoding: "UTF8" },
      recipients: chosen ? [recipient] : [],
    });
    for (const { file, stored, plain } of manifest.objects) {
      expect(readFileSync(join(folder, file)).length).toBe(stored.size);
      expect(plain).toEqual({ size: plain.size, crc32: expect.stringMatching(/^[0-9a-f]{8}$/) as string });
    }

    expect(await listed(sandbox)).toMatchObject([{ id, state: "verified" }]);
    const [verification] = printed(await sandbox.run("verify", id, "--json")) as Verification[];
    expect(verification).toMatchObject({ id, outcome: "verified", problems: [] });

    const restored = await restoreAndCompare();
    expect(restored).toMatchObject({ id, database: "copy", warnings: [expect.stringContaining("is a superuser")] });
    expect(restored.objects.table).toBeGreaterThan(10);

    const [pruned] = printed(await sandbox.run("prune", "--json")) as PruneReport[];
    expect(pruned).toMatchObject({ removed: [], unfinished: [], kept: 1 });
  });

  it("doctor finds nothing wrong and leaves nothing behind", async () => {
    const checks = printed(await sandbox.run("doctor", "--json")) as Check[];
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    for (const name of ["connection", "clients", "lock", "encryption", "monitors"]) {
      expect(
        checks.some((check) => check.name.startsWith(name)),
        name,
      ).toBe(true);
    }
    expect(existsSync(sandbox.store) ? filesIn(sandbox.store) : []).toEqual([]);
  });

  it.runIf(haveTools)("is restored without this program", async () => {
    const { id } = await makeBackup(sandbox);
    await emptyDatabase(postgres, "copy");
    const key = join(sandbox.path, "key");
    writeFileSync(key, identity, { mode: 0o600 });
    const run = (input: Buffer, program: string, ...args: string[]) => {
      const env = { PATH: process.env.PATH, PGPASSWORD: postgres.password };
      const { status, stdout, stderr } = spawnSync(program, args, { input, env, maxBuffer: 256 << 20 });
      expect([status, stderr.toString()], program).toEqual([0, ""]);
      return stdout;
    };
    const stored = readFileSync(join(backupFolder(sandbox, id), `database.dump.zst${ending}`));
    const compressed = chosen ? run(stored, "age", "-d", "-i", key) : stored;
    const to = ["-h", postgres.host, "-p", String(postgres.port), "-U", postgres.user, "-d", "copy"];
    run(run(compressed, "zstd", "-d", "-q"), join(postgres.binDirectory, "pg_restore"), "--exit-on-error", ...to);
    expect((await compareDatabases(postgres.url("shop"), postgres.url("copy"))).differences).toEqual([]);
  });
});

describe("a backup", () => {
  it("prints for people what it did, and logs JSON lines", async () => {
    const { code, stdout, stderr } = await sandbox.run("backup", "--log-level", "debug");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^backup \d{8}T\d{6}Z-\w{6}: ok, [\d.]+ s\n {2}database\.dump\.zst: .* stored as /);
    expect(stdout).toContain("stored, verified, 0 pruned, 1 kept");
    const lines = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) expect(line).toMatchObject({ stack: "test", job: "app" });
    expect(lines.at(-1)).toMatchObject({ level: "info", msg: "run: ok" });
  });

  it("takes its job from the environment, and its secrets from the stack's file", async () => {
    sandbox.job.database = { kind: "postgres", url: { secret: "appUrl" } };
    const secrets = join(sandbox.path, "secrets.json");
    writeFileSync(secrets, JSON.stringify({ appUrl: postgres.url("shop") }), { mode: 0o600 });
    delete sandbox.environment.APP_URL;
    sandbox.environment.PROVISION_SECRETS_FILE = secrets;
    expect(await makeBackup(sandbox)).toMatchObject({ status: "ok" });
    const checkOf = async (code = 0) =>
      (printed(await sandbox.run("doctor", "--json"), code) as Check[]).find(
        ({ name }) => name === `secrets in ${secrets}`,
      );
    expect(await checkOf()).toEqual({ name: `secrets in ${secrets}`, ok: true, detail: "its mode is 0600" });
    for (const [mode, who] of [
      [0o644, "every user of this machine"],
      [0o640, "its group"],
    ] as const) {
      chmodSync(secrets, mode);
      expect(await checkOf(2)).toMatchObject({
        ok: false,
        detail: `its mode is 0${mode.toString(8)}: ${who} can read it`,
        fix: `chmod 600 ${secrets}`,
      });
    }
    chmodSync(secrets, 0o600);
    if (process.getuid?.() !== 0) return;
    chownSync(secrets, 65_534, 65_534);
    expect(await checkOf(2)).toMatchObject({ ok: false, fix: expect.stringMatching(/^chown 0 /) as string });
  });

  it("is read back by a later verification, where it was not at once", async () => {
    sandbox.job.retention = { last: 1 };
    for (let run = 0; run < 2; run += 1) {
      expect((await makeBackup(sandbox, "--no-verify")).destinations).toEqual([
        { destination: `filesystem ${sandbox.store}`, stored: true, errors: [] },
      ]);
    }
    expect((await listed(sandbox)).map(({ state }) => state)).toEqual(["unverified", "unverified"]);
    expect(printed(await sandbox.run("prune", "--json")) as PruneReport[]).toMatchObject([{ removed: [] }]);
    const sampled = async () =>
      (printed(await sandbox.run("verify", "--sample", "1%", "--json")) as Verification[]).map(({ id }) => id);
    const ids = (await listed(sandbox)).map(({ id }) => id);
    expect([await sampled(), await sampled()]).toEqual([[ids[0]], [ids[1]]]);
    expect((await sandbox.run("verify", "--all")).code).toBe(0);
    expect((await listed(sandbox)).map(({ state }) => state)).toEqual(["verified", "verified"]);
  });

  it("says that it was read from memory where there is no GNU dd", async () => {
    const programs = join(sandbox.path, "programs");
    mkdirSync(programs);
    writeFileSync(join(programs, "dd"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    const url = await emptyDatabase(postgres, "noise");
    await query(url, "CREATE TABLE noise AS SELECT md5(n::text) FROM generate_series(1, 100000) n");
    sandbox.environment.APP_URL = url;
    const { PATH: path = "" } = sandbox.environment;
    sandbox.environment.PATH = `${programs}:${path}`;
    expect((await sandbox.run("backup")).stdout).toContain("stored, verified, from this machine's memory, 0 pruned");
    expect((await sandbox.run("verify", "latest")).stdout).toContain("read in full, from this machine's memory\n");
    sandbox.environment.PATH = path;
    expect((await sandbox.run("verify", "latest")).stdout).toContain("read in full\n");
  });

  it("is verified where it was made although nobody there can decrypt it later", async () => {
    sandbox.job.encryption = { recipients: [recipient] };
    const { id } = await makeBackup(sandbox);
    expect(await listed(sandbox)).toMatchObject([{ id, state: "verified" }]);
    expect(printed(await sandbox.run("verify", "--json"), 3) as Verification[]).toMatchObject([{ outcome: "stored" }]);
    sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy");
    const { code, stderr } = await sandbox.run("restore", "--to", "env:TARGET_URL");
    expect([code, stderr]).toEqual([2, expect.stringContaining("there is no identity to decrypt it with")]);
    await restoreAndCompare("--identity", "env:AGE_IDENTITY");
  });

  it("removes nothing where that is a task of its own", async () => {
    sandbox.job.retention = { last: 1 };
    sandbox.job.prune = { schedule: { cron: "0 5 * * *" } };
    const ids: string[] = [];
    for (let run = 0; run < 2; run += 1) {
      const { id, destinations } = await makeBackup(sandbox, "--no-prune");
      expect(destinations[0]).not.toHaveProperty("prune");
      ids.push(id);
      await sleep(1000 - (Date.now() % 1000));
    }
    expect((await listed(sandbox)).map(({ id, state }) => [id, state])).toEqual(ids.map((id) => [id, "verified"]));
    expect(printed(await sandbox.run("prune", "--json"))).toMatchObject([{ removed: [ids[0]] }]);
  });

  it("of several goes by the retention rule, after the newest was verified", async () => {
    sandbox.job.retention = { last: 2 };
    const ids: string[] = [];
    for (let run = 0; run < 4; run += 1) {
      const { id, destinations } = await makeBackup(sandbox);
      ids.push(id);
      expect(destinations[0]?.prune?.removed).toEqual(run < 2 ? [] : [ids[run - 2]]);
      // Two ids of one second would sort by chance.
      await sleep(1000 - (Date.now() % 1000));
    }
    expect((await listed(sandbox)).map(({ id }) => id)).toEqual(ids.slice(2));
    sandbox.job.retention = { last: 1 };
    const before = filesIn(sandbox.store);
    const dry = printed(await sandbox.run("prune", "--dry-run", "--json")) as PruneReport[];
    expect(dry).toMatchObject([{ removed: [ids[2]], kept: 1 }]);
    expect(filesIn(sandbox.store)).toEqual(before);
    printed(await sandbox.run("prune", "--json"));
    expect(foldersOf(sandbox)).toEqual([ids[3]]);
  });
});

describe("a backup that is going on", () => {
  it("keeps its lock until it has read the backup back and pruned", async () => {
    const { begun, goOn } = makeSlow("pg_restore");
    const other = sandbox.start("backup", "--json");
    await begun(other);
    // No snapshot is held by then, as the server could not clean up.
    expect(await idleInTransaction()).toBe(0);
    const { code, stderr } = await sandbox.run("backup");
    expect([code, stderr]).toEqual([6, expect.stringContaining("Another run of test/app holds its lock")]);
    goOn();
    printed(await other.ended);
    expect((await sandbox.run("backup")).code).toBe(0);
  });

  it("loses none of its objects to a prune", async () => {
    const { begun, goOn } = makeSlow("pg_dumpall");
    const run = sandbox.start("backup", "--json");
    await begun(run);
    const [id] = foldersOf(sandbox);
    const parts = filesIn(backupFolder(sandbox, id ?? ""));
    expect(parts).toContain("database.dump.zst");
    expect(printed(await sandbox.run("prune", "--json"))).toMatchObject([{ unfinished: [], interruptedUploads: 0 }]);
    expect(filesIn(backupFolder(sandbox, id ?? ""))).toEqual(parts);
    goOn();
    expect(printed(await run.ended)).toMatchObject({ id, destinations: [{ verification: { outcome: "verified" } }] });
  });

  it("is named when it has the lock, however long it waited to connect", async () => {
    const gate = await Gate.before(postgres.port);
    try {
      sandbox.environment.APP_URL = postgres.url("shop").replace(`:${postgres.port}/`, `:${gate.port}/`);
      const late = sandbox.start("backup", "--json");
      await gate.knocked;
      sandbox.environment.APP_URL = postgres.url("shop");
      const { id: first } = await makeBackup(sandbox);
      await sleep(1000 - (Date.now() % 1000));
      gate.open();
      const { id: second } = printed(await late.ended) as BackupReport;
      expect(second > first, `${second} after ${first}`).toBe(true);
      expect((await listed(sandbox)).map(({ id }) => id)).toEqual([first, second]);
    } finally {
      await gate.close();
    }
  });

  it("has no manifest where somebody removed a part of it", async () => {
    const dump = `'${sandbox.store}'/test/app/*/database.dump.zst`;
    sandbox.replaceClient("pg_dumpall", postgres.binDirectory, `rm ${dump}; exec "$real" "$@"`);
    const { code, stderr } = await sandbox.run("backup");
    expect([code, stderr]).toEqual([4, expect.stringMatching(/Somebody removed test\/app\/.*\/database\.dump\.zst/)]);
    expect(filesIn(sandbox.store).filter((file) => file.endsWith(".json"))).toEqual([]);

    const second = { kind: "filesystem", path: join(sandbox.path, "second") };
    sandbox.job.destinations = [...(sandbox.job.destinations as object[]), second];
    expect(printed(await sandbox.run("backup", "--json"), 3)).toMatchObject({
      destinations: [
        { stored: false, errors: [{ code: "TRANSIENT" }] },
        { stored: true, verification: { outcome: "verified" }, errors: [] },
      ],
    });
  });

  it("has an hour to end after its time limit, before its unfinished folder is taken for nobody's", async () => {
    sandbox.job.timeoutMinutes = 60;
    const minutesAgo = (minutes: number) => newBackupId(new Date(Date.now() - minutes * 60_000));
    const [young, old] = [minutesAgo(110), minutesAgo(130)];
    const store = await openStore(sandbox.store);
    await fill(
      store,
      [young, old].map((id) => `test/app/${id}/database.dump.zst`),
    );
    expect(printed(await sandbox.run("prune", "--json"))).toMatchObject([{ unfinished: [old] }]);
    expect(foldersOf(sandbox)).toEqual([young]);
  });
});

/** Sessions of this program that hold a transaction open. */
async function idleInTransaction(): Promise<number> {
  const [row] = await query<{ count: string }>(
    postgres.url("postgres"),
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'provision' AND state LIKE 'idle in transaction%'",
  );
  return Number(row?.count);
}

describe("a verification whose pg_restore does not come to an end", () => {
  it.each([
    ["is killed", "kill -KILL $$", "TRANSIENT", /pg_restore [\d.]+ was ended by SIGKILL/],
    ["runs out of memory", "echo 'pg_restore: error: out of memory' >&2; exit 1", "TRANSIENT", /out of memory/],
    ["cannot be executed", "exit 126", "CONFIG", /cannot be started/],
    [
      "lacks a library",
      "echo 'pg_restore: error while loading shared libraries: libpq.so.5: cannot open shared object file' >&2; exit 127",
      "CONFIG",
      /cannot be started: .*libpq\.so\.5/,
    ],
  ])("because it %s, says nothing of the backup", async (_how, script, code, message) => {
    const { database } = sandbox.job;
    sandbox.replaceClient("pg_restore", postgres.binDirectory, script);
    const report = printed(await sandbox.run("backup", "--json"), 3) as BackupReport;
    expect(report.destinations).toMatchObject([
      { stored: true, errors: [{ code, message: expect.stringMatching(message) as string }] },
    ]);
    expect(report.destinations[0]).not.toHaveProperty("verification");
    const { stderr } = await sandbox.run("verify");
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/\nFix: /);
    expect(await listed(sandbox)).toMatchObject([{ state: "unverified" }]);
    sandbox.job.database = database;
    expect(printed(await sandbox.run("verify", "--json"))).toMatchObject([{ outcome: "verified" }]);
  });
});

describe("two destinations", () => {
  const first = () => sandbox.store;
  const second = () => join(sandbox.path, "second");
  const both = () => [first(), second()].map((path) => ({ kind: "filesystem", path }));

  it("both get a whole, verified copy of the same bytes", async () => {
    sandbox.job.destinations = both();
    sandbox.job.encryption = encryption;
    const { id, destinations } = await makeBackup(sandbox);
    expect(destinations).toMatchObject([
      { destination: `filesystem ${first()}`, stored: true, verification: { outcome: "verified" } },
      { destination: `filesystem ${second()}`, stored: true, verification: { outcome: "verified" } },
    ]);
    for (const file of ["database.dump.zst.age", "roles.sql.zst.age"]) {
      const [a, b] = [first(), second()].map((store) => readFileSync(join(store, "test/app", id, file)));
      expect(a?.equals(b ?? Buffer.alloc(0)), file).toBe(true);
    }
    expect(await restoreAndCompare("--destination", "1")).toMatchObject({ from: `filesystem ${second()}` });
  });

  it("one of which cannot be written: the other has the backup, and the run is partial", async () => {
    writeFileSync(second(), "a file, not a folder");
    sandbox.job.destinations = [...both()].reverse();
    const { code, stdout, stderr } = await sandbox.run("backup", "--json");
    expect(code, stderr).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      status: "partial",
      destinations: [
        { destination: `filesystem ${second()}`, stored: false, errors: [{ code: "CONFIG" }] },
        { destination: `filesystem ${first()}`, stored: true, verification: { outcome: "verified" }, errors: [] },
      ],
    });
    await restoreAndCompare("--destination", "1");
  });

  describe("the first of which does not answer:", () => {
    let id: string;
    beforeEach(async () => {
      sandbox.job.destinations = [{ kind: "filesystem", path: second() }];
      ({ id } = await makeBackup(sandbox));
      const s3 = { kind: "s3", bucket: "gone", endpoint: "http://127.0.0.1:1", region: "us-east-1", retrySeconds: 1 };
      sandbox.job.destinations = [s3, { kind: "filesystem", path: second() }];
      Object.assign(sandbox.environment, { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret-key" });
    });

    it.each([
      ["list", () => ({ backups: [{ id }] })],
      ["verify", () => ({ id, outcome: "verified" })],
      ["prune", () => ({ kept: 1 })],
    ])("%s works on the second, tells of the first and ends with 3", async (command, expected) => {
      const found = printed(await sandbox.run(command, "--json"), 3);
      expect(found).toMatchObject([
        { destination: `filesystem ${second()}`, ...expected() },
        { destination: expect.stringMatching(/gone/) as string, error: { message: expect.any(String) as string } },
      ]);
      const { stdout } = await sandbox.run(command);
      expect(stdout).toMatch(/gone.*: FAILED\. .* Fix: /);
    });

    it("restore takes the other one, and tells of the first", async () => {
      sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy");
      const { code, stdout, stderr } = await sandbox.run("restore", "--to", "env:TARGET_URL");
      expect([code, stdout], stderr).toEqual([0, expect.stringMatching(/not read, and may have a newer one: .*gone/)]);
      await restoreAndCompare("--destination", "1");
    });

    it("with no other, the error of each is reported", async () => {
      sandbox.job.destinations = (sandbox.job.destinations as object[])
        .slice(0, 1)
        .flatMap((s3) => [s3, { ...s3, bucket: "away" }]);
      const { code, stderr } = await sandbox.run("list");
      expect([code, stderr]).toEqual([1, expect.stringMatching(/Every destination failed:\n.*gone.*\n.*away/)]);
    });
  });

  it("none of which can be written: there is no backup", async () => {
    const file = join(sandbox.path, "file");
    writeFileSync(file, "a file, not a folder");
    sandbox.job.destinations = ["a", "b"].map((name) => ({ kind: "filesystem", path: join(file, name) }));
    const { code, stderr } = await sandbox.run("backup");
    expect([code, stderr]).toEqual([4, expect.stringContaining("a part of the path is a file")]);
  });
});

describe("the roles", () => {
  it("are left out where they may not be read, and the backup says so", async () => {
    sandbox.replaceClient("pg_dumpall", postgres.binDirectory, "echo 'permission denied for table' >&2; exit 1");
    const { omitted, objects } = await makeBackup(sandbox);
    expect(omitted).toEqual([
      { artifact: "roles.sql", reason: expect.stringContaining("permission denied") as string },
    ]);
    expect(objects.map(({ artifact }) => artifact)).toEqual(["database.dump"]);
    expect(filesIn(sandbox.store).filter((file) => file.includes("roles"))).toEqual([]);
    await restoreAndCompare();
  });

  it("make a run partial where reading them failed for another reason, and the backup says so", async () => {
    sandbox.replaceClient("pg_dumpall", postgres.binDirectory, "kill -9 $$");
    const { code, stdout, stderr } = await sandbox.run("backup", "--json");
    expect(code, stderr).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      status: "partial",
      omitted: [{ artifact: "roles.sql", reason: expect.stringContaining("SIGKILL") as string }],
      destinations: [{ stored: true, verification: { outcome: "verified" }, errors: [] }],
    });
  });

  it("are not left out because a destination failed: that destination has no backup", async () => {
    const partial = `'${sandbox.store}'/test/app/*/.*.partial`;
    const text = `'${join(sandbox.path, "roles")}'`;
    // An upload begins with the first byte.
    const tidy = `"$real" "$@" >${text} && head -c 1 ${text}
      until ls ${partial} >/dev/null 2>&1; do sleep 0.02; done; rm ${partial}; tail -c +2 ${text}`;
    sandbox.replaceClient("pg_dumpall", postgres.binDirectory, tidy);
    const { code, stderr } = await sandbox.run("backup");
    expect([code, stderr]).toEqual([4, expect.stringContaining("Somebody removed")]);
    expect(await listed(sandbox)).toEqual([]);

    const second = { kind: "filesystem", path: join(sandbox.path, "second") };
    sandbox.job.destinations = [...(sandbox.job.destinations as object[]), second];
    expect(printed(await sandbox.run("backup", "--json"), 3)).toMatchObject({
      omitted: [],
      destinations: [
        { stored: false, errors: [{ code: "TRANSIENT" }] },
        { stored: true, verification: { outcome: "verified" }, errors: [] },
      ],
    });
  });
});

describe("no backup is made, and the exit code says why,", () => {
  it.each<[string, number, (url: string) => string, RegExp]>([
    [
      "with a wrong password",
      4,
      (url) => url.replace(/:[^:@]+@/, ":wrong-password@"),
      /password authentication failed/,
    ],
    ["with a database that is not there", 4, (url) => url.replace("shop", "nosuch"), /"nosuch" does not exist/],
    ["with a server that is not there", 4, (url) => url.replace(/:\d+\/shop/, ":1/shop"), /ECONNREFUSED/],
    ["with a URL that is none", 2, () => "mysql://root@localhost/shop", /does not begin with postgresql:\/\//],
  ])("%s", async (_name, expected, change, message) => {
    sandbox.environment.APP_URL = change(postgres.url("shop"));
    const { code, stdout, stderr } = await sandbox.run("backup", "--json");
    expect(code, stderr).toBe(expected);
    expect(JSON.parse(stdout)).toMatchObject({ error: { message: expect.stringMatching(message) as string } });
    expect(stderr).toMatch(/\nFix: /);
    expect(foldersOf(sandbox)).toEqual([]);
    const doctor = await sandbox.run("doctor", "--json");
    expect((printed(doctor, 2) as Check[]).find(({ ok }) => !ok)).toMatchObject({
      detail: expect.stringMatching(message) as string,
    });
  });

  it("with a recipient that has a typing error", async () => {
    const wrong = recipient.replace(/.$/, (last) => (last === "q" ? "p" : "q"));
    sandbox.job.encryption = { recipients: [wrong] };
    const { code, stderr } = await sandbox.run("backup");
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/encryption\.recipients\[0\]: expected an age public key .* checksum, got "age1/),
    ]);
    expect(foldersOf(sandbox)).toEqual([]);
  });

  it("while another run of the job is going, which is left alone", async () => {
    const { begun, goOn } = makeSlow();
    const other = sandbox.start("backup");
    await begun(other);
    const { code, stderr } = await sandbox.run("backup");
    expect([code, stderr]).toEqual([6, expect.stringContaining("Another run of test/app holds its lock")]);
    const checks = printed(await sandbox.run("doctor", "--json"), 2) as Check[];
    expect(checks.filter(({ ok }) => !ok)).toMatchObject([{ name: "lock" }]);
    // Another job of the same database is none of its business.
    const neighbour = sandbox.job;
    sandbox.job = { ...neighbour, name: "other", database: { kind: "postgres", url: { env: "APP_URL" } } };
    expect((await sandbox.run("backup")).code).toBe(0);
    sandbox.job = neighbour;
    goOn();
    expect((await other.ended).code).toBe(0);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("after %s, and nothing is left of it", async (signal, expected) => {
    const { begun } = makeSlow();
    const run = sandbox.start("backup", "--json");
    await begun(run);
    run.child.kill(signal);
    const { code, stdout, stderr } = await run.ended;
    expect(code, stderr).toBe(expected);
    expect(JSON.parse(stdout)).toEqual({ error: { code: "ABORTED", message: `Interrupted by ${signal}.` } });
    expect(filesIn(sandbox.store)).toEqual([STORE_MARK]);
    expect((await sandbox.run("doctor")).stdout).toContain("no other run of test/app holds the lock");
  });
});

describe("a list", () => {
  it("of a backup that is not there names those that are", async () => {
    const unknown = "20200101T000000Z-abcdef";
    const none = await sandbox.run("list", unknown);
    expect([none.code, none.stderr]).toEqual([
      2,
      expect.stringMatching(/There is no backup "20200101T000000Z-abcdef" of test\/app\.\nFix: There is none/),
    ]);
    const { id } = await makeBackup(sandbox);
    const { code, stdout } = await sandbox.run("list", unknown, "--json");
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: "NOT_FOUND", fix: expect.stringContaining(id) as string },
    });
    expect(printed(await sandbox.run("list", id, "--json"))).toMatchObject([{ backups: [{ id }] }]);
  });
});

describe("a restore", () => {
  it("with several workers gives the same", async () => {
    await makeBackup(sandbox);
    await restoreAndCompare("--jobs", "2", "--scratch", sandbox.path);
    expect(filesIn(join(sandbox.path, "tmp"))).toEqual([]);
    expect(filesIn(sandbox.path).filter((file) => file.includes("restore-"))).toEqual([]);
  });

  it("takes the backup that is named, else the newest one", async () => {
    const { id: older } = await makeBackup(sandbox);
    await sleep(1000 - (Date.now() % 1000));
    const { id: newer } = await makeBackup(sandbox);
    expect(await restoreAndCompare(older)).toMatchObject({ id: older });
    expect(await restoreAndCompare()).toMatchObject({ id: newer });
  });

  it("refuses a target that is not empty, and leaves it as it is", async () => {
    await makeBackup(sandbox);
    await restoreAndCompare();
    const { code, stderr } = await sandbox.run("restore", "--to", "env:TARGET_URL");
    expect([code, stderr]).toEqual([2, expect.stringContaining("The database copy is not empty")]);
    const conflict = await sandbox.run("restore", "--to", "env:TARGET_URL", "--allow-non-empty");
    expect([conflict.code, conflict.stderr]).toEqual([2, expect.stringContaining("already exists")]);
    expect((await compareDatabases(postgres.url("shop"), postgres.url("copy"))).differences).toEqual([]);
  });

  it.each([
    ["latest", /has no backup of test\/app[\s\S]*has none of this job at all/],
    ["20200101T000000Z-abcdef", /has no backup "20200101T000000Z-abcdef"/],
  ])("says that there is no backup %s", async (id, message) => {
    sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy");
    for (const args of [
      ["restore", id, "--to", "env:TARGET_URL"],
      ["verify", id],
    ]) {
      const { code, stderr } = await sandbox.run(...args);
      expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
    }
  });

  it("says that the private key is another's", async () => {
    sandbox.job.encryption = encryption;
    await makeBackup(sandbox);
    sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy");
    sandbox.environment.AGE_IDENTITY = await generateX25519Identity();
    for (const args of [["restore", "--to", "env:TARGET_URL"], ["verify"]]) {
      const { code, stderr } = await sandbox.run(...args);
      expect([code, stderr]).toEqual([2, expect.stringContaining("none of this backup's recipients")]);
    }
    expect(await relationCount(postgres, "copy")).toBe(0);
    // That says nothing of the backup.
    expect(await listed(sandbox)).toMatchObject([{ state: "verified" }]);
  });
});
