import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Check } from "../../../../providers/database/database.ts";
import type { BackupReport } from "../../../../runner/operations/backup/report.ts";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { emptyDatabase, sql } from "../../../helpers/databases.ts";
import { backupFolder, listed, makeBackup, printed } from "../../../helpers/reports.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";
import { registerSecret } from "../../../../tools/services/known-secrets.ts";

let postgres: Postgres;
let sandbox: Sandbox;
let key: string;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "shop");
  await sql(postgres, "shop", "CREATE TABLE t AS SELECT 'real' AS name");
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(postgres.url("shop"), { signing: { key: { env: "KEY" }, since: "2000-01-01T00:00:00Z" } });
  key = newKey();
  sandbox.environment.KEY = key;
});
afterEach(() => {
  sandbox.remove();
});

function newKey(): string {
  const made = execFileSync("openssl", ["rand", "-hex", "32"], { encoding: "utf8" }).trim();
  registerSecret("a signing key", made);
  return made;
}

type Document = Record<string, unknown>;

const fileOf = (id: string, name = "manifest.json") => join(backupFolder(sandbox, id), name);
const documentIn = (file: string) => JSON.parse(readFileSync(file, "utf8")) as Document;

/** The signature that a file bears, and the one that grep and openssl compute for it, as docs/security.md says. */
function signatures(file: string, hexKey: string): { has: string; right: string } {
  const { signature } = documentIn(file);
  const script = `grep -vE '^  "(signature|checksum)": ' "$1" | openssl dgst -sha256 -mac HMAC -macopt hexkey:"$(cat "$2")"`;
  const keyFile = join(sandbox.path, "key");
  writeFileSync(keyFile, hexKey, { mode: 0o600 });
  const printed = execFileSync("sh", ["-c", script, "sh", file, keyFile], { encoding: "utf8" });
  return { has: String(signature).split(":").at(-1) ?? "", right: printed.trim().split(" ").at(-1) ?? "" };
}

/** Writes a document as this program does, but for what only somebody with the key can do. */
function write(file: string, document: Document): void {
  const content = Object.fromEntries(Object.entries(document).filter(([name]) => name !== "checksum"));
  const sum = createHash("sha256").update(JSON.stringify(content)).digest("hex");
  writeFileSync(file, JSON.stringify({ ...content, checksum: `sha256:${sum}` }, null, 2) + "\n", { mode: 0o600 });
}

/** Changes a document in the store without the key. */
function forge(file: string, change: (document: Document) => Document): void {
  write(file, change(documentIn(file)));
}

function unsigned(document: Document): Document {
  return Object.fromEntries(Object.entries(document).filter(([name]) => name !== "signature"));
}

async function restoredName(...args: string[]): Promise<unknown> {
  sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "target");
  printed(await sandbox.run("restore", ...args, "--to", "env:TARGET_URL", "--json"));
  const [row] = await sql<{ name: string }>(postgres, "target", "SELECT name FROM t");
  return row?.name;
}

/** How a restore that must not happen ends. */
async function refusedRestore(...args: string[]): Promise<{ code: number | null; stderr: string }> {
  sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "target");
  const { code, stderr } = await sandbox.run("restore", ...args, "--to", "env:TARGET_URL");
  expect(await sql(postgres, "target", "SELECT FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
  return { code, stderr };
}

const states = async () => (await listed(sandbox)).map(({ id, state }) => [id, state]);

it("signs manifests and records so that openssl agrees, and another key does not", async () => {
  const { id } = await makeBackup(sandbox);
  const record = readdirSync(backupFolder(sandbox, id)).find((name) => name.startsWith("verified-")) ?? "";
  for (const name of ["manifest.json", record]) {
    const { has, right } = signatures(fileOf(id, name), key);
    expect(has).toMatch(/^[0-9a-f]{64}$/);
    expect(right).toBe(has);
    expect(signatures(fileOf(id, name), newKey()).right).not.toBe(has);
  }
  expect(await states()).toEqual([[id, "verified"]]);
  expect(await restoredName("latest")).toBe("real");
  const checks = printed(await sandbox.run("doctor", "--json")) as Check[];
  expect(checks).toContainEqual(expect.objectContaining({ name: "signing", ok: true }));
});

describe("a backup that somebody who can write to the store has", () => {
  it.each<[string, (document: Document) => Document, RegExp]>([
    ["changed", (document) => ({ ...document, program: "9.9.9" }), /its signature is wrong/],
    ["changed, without its signature", (document) => unsigned(document), /it has no signature/],
    [
      "signed with a key of their own",
      (document) => ({ ...document, signature: `hmac-sha256:0badc0de:${randomBytes(32).toString("hex")}` }),
      /it is signed with the key 0badc0de, and the job has [0-9a-f]{8}/,
    ],
    ["signed with nonsense", (document) => ({ ...document, signature: "valid" }), /of no known form/],
  ])(
    "%s is reported by all, counts for nothing, and is restored with a word alone",
    async (_how, change, fault) => {
      sandbox.job.drill = { target: { env: "APP_URL" }, acceptSharedUser: true };
      const { id } = await makeBackup(sandbox);
      forge(fileOf(id), change);
      expect(await states()).toEqual([[id, "unproven"]]);
      expect((await sandbox.run("list")).stdout).toMatch(fault);

      expect((await refusedRestore("latest")).code).toBe(2);
      const { code, stderr } = await refusedRestore(id);
      expect(code).toBe(5);
      expect(stderr).toMatch(fault);
      expect(stderr).toContain("--accept-unproven");
      expect(await restoredName(id, "--accept-unproven")).toBe("real");

      const before = readdirSync(backupFolder(sandbox, id));
      expect(printed(await sandbox.run("verify", "--all", "--json"), 5)).toMatchObject([{ id, outcome: "unproven" }]);
      expect((await sandbox.run("verify", id)).code).toBe(5);
      expect((await sandbox.run("drill", id)).code).toBe(5);
      expect(readdirSync(backupFolder(sandbox, id))).toEqual(before);
      const checks = printed(await sandbox.run("doctor", "--json"), 2) as Check[];
      expect(checks.filter(({ ok }) => !ok)).toMatchObject([{ name: expect.stringMatching(/: backups$/) as string }]);

      sandbox.job.retention = { last: 1 };
      const report = printed(await sandbox.run("backup", "--json")) as BackupReport;
      expect(report.destinations).toMatchObject([{ prune: { removed: [], kept: 1, unproven: [id] } }]);
      expect(report.destinations[0]?.warnings).toEqual([expect.stringMatching(fault)]);
    },
    240_000,
  );

  it("called verified without the key is not verified", async () => {
    const { id } = await makeBackup(sandbox, "--no-verify");
    const { id: proven } = await makeBackup(sandbox);
    const [record = ""] = readdirSync(backupFolder(sandbox, proven)).filter((name) => name.startsWith("verified-"));
    // That of another backup bears a signature, and one made for this has none.
    write(fileOf(id, record), unsigned({ ...documentIn(fileOf(proven, record)), id }));
    cpSync(fileOf(proven, record), fileOf(id, "verified-20990101T000000Z.json"));
    expect(await states()).toEqual([
      [id, "unverified"],
      [proven, "verified"],
    ]);
  });

  it("called sound by a record of another outcome is damaged still", async () => {
    const { id } = await makeBackup(sandbox, "--no-verify");
    const data = fileOf(id, "database.dump.zst");
    const right = readFileSync(data);
    writeFileSync(data, Buffer.from(right.map((byte, index) => (index === 100 ? byte ^ 1 : byte))));
    expect((await sandbox.run("verify", id)).code).toBe(5);
    const [record = ""] = readdirSync(backupFolder(sandbox, id)).filter((name) => name.startsWith("damaged-"));
    cpSync(fileOf(id, record), fileOf(id, "verified-20990101T000000Z.json"));
    expect(await states()).toEqual([[id, "damaged"]]);
  });
});

describe("a backup of before there was a key", () => {
  /** Makes one, and then gives the job a key as `pulumi up` makes it. */
  async function upgrade(): Promise<string> {
    const { signing, ...before } = sandbox.job;
    sandbox.job = before;
    const { id } = await makeBackup(sandbox);
    // The next second.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const made = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
    sandbox.environment.KEY = `provision-key-${made}-${key}`;
    sandbox.job = { ...before, signing: { ...(signing as object), since: undefined } };
    return id;
  }

  it("stays readable, is no alarm, and yields to those that are signed", async () => {
    const id = await upgrade();
    expect(await listed(sandbox)).toMatchObject([{ id, state: "verified", signed: false }]);
    expect((await sandbox.run("list")).stdout).toContain("unsigned: older than the key");
    printed(await sandbox.run("verify", id, "--json"));
    printed(await sandbox.run("doctor", "--json"));
    const { code, stderr } = await refusedRestore("latest");
    expect(code).toBe(5);
    expect(stderr).toContain("begun before the stack had a key");
    expect(await restoredName(id, "--accept-unproven")).toBe("real");

    sandbox.job.retention = { last: 1 };
    const { id: signed, destinations } = await makeBackup(sandbox);
    expect(destinations).toMatchObject([{ prune: { removed: [], kept: 2 } }]);
    expect(signatures(fileOf(signed), key)).toMatchObject({ right: signatures(fileOf(signed), key).has });
    expect(await restoredName("latest")).toBe("real");
  });

  it("is not what a forged one passes for that is younger than the key", async () => {
    const id = await upgrade();
    const forged = "20990101T000000Z-0a0b0c";
    cpSync(backupFolder(sandbox, id), backupFolder(sandbox, forged), { recursive: true });
    forge(fileOf(forged), (document) => ({ ...document, id: forged }));
    expect(await states()).toEqual([
      [id, "verified"],
      [forged, "unproven"],
    ]);
  });
});

describe("a key", () => {
  it("that was changed still proves what it has signed, as a former one", async () => {
    const { id } = await makeBackup(sandbox);
    sandbox.environment.OLD = key;
    sandbox.environment.KEY = newKey();
    expect(await states()).toEqual([[id, "unproven"]]);
    sandbox.job.signing = { ...(sandbox.job.signing as object), formerKeys: [{ env: "OLD" }] };
    expect(await states()).toEqual([[id, "verified"]]);
    const { id: next } = await makeBackup(sandbox);
    const { has, right } = signatures(fileOf(next), sandbox.environment.KEY);
    expect(right).toBe(has);
    expect(await restoredName(id)).toBe("real");
  });

  it("that is none is refused, and not shown", async () => {
    sandbox.environment.KEY = "n0t-a-key-m4rker";
    registerSecret("what is no key", "n0t-a-key-m4rker");
    const { code, stderr } = await sandbox.run("list");
    expect(code).toBe(2);
    expect(stderr).toContain("signing.key is no key: it has 16 characters.");
    expect(stderr).toContain("openssl rand -hex 32");
  });

  it("is not needed by a job without one, which restores what is signed", async () => {
    const { id } = await makeBackup(sandbox);
    delete sandbox.job.signing;
    expect(await states()).toEqual([[id, "verified"]]);
    expect(await restoredName("latest")).toBe("real");
  });
});

describe("a copy", () => {
  it("bears the signature of what it is a copy of, and under another name one of its own", async () => {
    const { id } = await makeBackup(sandbox);
    const former = join(sandbox.path, "former.json");
    writeFileSync(former, JSON.stringify(sandbox.job));
    sandbox.job.destinations = [{ kind: "filesystem", path: join(sandbox.path, "second") }];
    printed(await sandbox.run("copy", "--from-job", former, "--json"));
    const copy = join(sandbox.path, "second/test/app", id, "manifest.json");
    expect(readFileSync(copy, "utf8")).toBe(readFileSync(fileOf(id), "utf8"));

    sandbox.job.name = "renamed";
    printed(await sandbox.run("copy", "--from-job", former, "--json"));
    const renamed = join(sandbox.path, "second/test/renamed", id, "manifest.json");
    const { has, right } = signatures(renamed, key);
    expect(right).toBe(has);
    expect(await states()).toEqual([[id, "verified"]]);
  });

  it("proves nothing that was not proven", async () => {
    const { id } = await makeBackup(sandbox);
    const former = join(sandbox.path, "former.json");
    // A former file of before there was a key: nothing is checked against it.
    writeFileSync(former, JSON.stringify({ ...sandbox.job, signing: undefined }));
    forge(fileOf(id), unsigned);
    sandbox.job.name = "renamed";
    const { code } = await sandbox.run("copy", "--from-job", former);
    expect(code).toBe(5);
    const copy = join(sandbox.store, "test/renamed", id, "manifest.json");
    expect(existsSync(copy) && documentIn(copy)).not.toHaveProperty("signature");
    expect(await states()).toEqual([[id, "unproven"]]);
  });
});
