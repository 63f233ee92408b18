import { createHash, randomBytes } from "node:crypto";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { DrillReport } from "../../runner/operations/drill.ts";
import type { Verification } from "../../runner/operations/verify.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { registerSecret } from "../../tools/services/known-secrets.ts";
import { emptyDatabase, sql } from "../helpers/databases.ts";
import { makeBackup, printed } from "../helpers/reports.ts";
import { Sandbox } from "../helpers/sandbox.ts";

/*
 * The owner restores `latest` in a hurry, out of two destinations, and must get the newest rows that there are, or be told why not. What
 * stands in the way: a disk that rots, an attacker who writes to one store, a table that was emptied before the last run.
 */

const LIMIT_MS = 240_000;
let postgres: Postgres;
let sandbox: Sandbox;
let stores: string[];
let older: string;
let newer: string;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  await emptyDatabase(postgres, "shop");
  await sql(postgres, "shop", "CREATE TABLE orders AS SELECT n FROM generate_series(1, 5000) AS n; ANALYZE");
  const key = randomBytes(32).toString("hex");
  registerSecret("a signing key", key);
  sandbox = new Sandbox(postgres.url("shop"), { signing: { key: { env: "KEY" } } });
  stores = [sandbox.store, join(sandbox.path, "second")];
  sandbox.job.destinations = stores.map((path) => ({ kind: "filesystem", path }));
  sandbox.environment.KEY = key;
  ({ id: older } = await makeBackup(sandbox));
  await sql(postgres, "shop", "INSERT INTO orders SELECT n FROM generate_series(5001, 6000) AS n; ANALYZE");
  ({ id: newer } = await makeBackup(sandbox));
});
afterEach(() => {
  sandbox.remove();
});

const folder = (store: number, id: string) => join(stores[store] ?? "", "test/app", id);

function flip(file: string): void {
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  writeFileSync(file, bytes);
}

/** What a restore prints of its choice. */
interface Printed {
  readonly id: string;
  readonly chosen: {
    readonly id: string;
    readonly destination: number;
    readonly notUsed: string[];
    readonly suspicious?: string[];
  };
}

const restore = async (...args: string[]) => {
  sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "target");
  return sandbox.run("restore", ...args, "--to", "env:TARGET_URL");
};

const rows = async () =>
  (await sql<{ count: number }>(postgres, "target", "SELECT count(*)::int AS count FROM orders"))[0]?.count;

const isEmpty = async () =>
  (await sql(postgres, "target", "SELECT FROM pg_tables WHERE schemaname = 'public'")).length === 0;

it(
  "the newest is damaged in the first store: it comes from the second, and the plan and the result say so",
  async () => {
    flip(join(folder(0, newer), "database.dump.zst"));
    expect((await sandbox.run("verify", newer, "--destination", "0")).code).toBe(5);
    const told = `not used: ${newer} in filesystem ${stores[0]}: it is damaged`;
    const plan = await restore("latest", "--dry-run");
    expect([plan.code, plan.stdout.includes(told)], plan.stdout).toEqual([0, true]);
    const { id, chosen } = printed(await restore("latest", "--json")) as Printed;
    expect([id, chosen.id, chosen.destination]).toEqual([newer, newer, 1]);
    expect(chosen.notUsed).toEqual([told]);
    expect(await rows()).toBe(6000);

    // By its name too; and whoever names the first store gets what that has, and is told of what it is not.
    expect((printed(await restore(newer, "--json")) as Printed).chosen.destination).toBe(1);
    const first = await restore("latest", "--destination", "0");
    expect([first.code, await rows()]).toEqual([0, 5000]);
    expect(first.stdout).toContain(`newer, ${told}`);
    expect((await restore(newer, "--destination", "0")).code).toBe(5);

    const [one, two] = printed(await sandbox.run("verify", "latest", "--json")) as Verification[];
    expect([one?.id, one?.warnings, two?.id]).toEqual([older, [`newer, ${told}`], newer]);
    sandbox.job.drill = { target: { env: "APP_URL" }, acceptSharedUser: true };
    const drilled = printed(await sandbox.run("drill", "--json")) as DrillReport;
    expect([drilled.id, drilled.warnings]).toEqual([older, [`newer, ${told}`]]);
  },
  LIMIT_MS,
);

it(
  "the files follow the same choice",
  async () => {
    flip(join(folder(0, newer), "database.dump.zst"));
    expect((await sandbox.run("verify", newer, "--destination", "0")).code).toBe(5);
    const { code, stderr } = await sandbox.run("restore", "--files", join(sandbox.path, "files"));
    // These have none, and the message is about the newest.
    expect([code, stderr.includes(newer)], stderr).toEqual([2, true]);
  },
  LIMIT_MS,
);

it(
  "a store that is away is told of, and the other has the newest",
  async () => {
    sandbox.job.destinations = [
      { kind: "filesystem", path: join(sandbox.path, "a-file") },
      { kind: "filesystem", path: stores[1] },
    ];
    writeFileSync(join(sandbox.path, "a-file"), "");
    const { chosen } = printed(await restore("latest", "--json")) as Printed;
    expect(chosen).toMatchObject({ id: newer, destination: 1 });
    expect(chosen.notUsed).toEqual([expect.stringMatching(/^not read, and may have a newer one: /)]);
    expect(await rows()).toBe(6000);
  },
  LIMIT_MS,
);

it(
  "one that has lost rows is named with its loss, and needs a word",
  async () => {
    await sql(postgres, "shop", "TRUNCATE orders");
    const { id: small } = await makeBackup(sandbox);
    for (const args of [["latest"], [small], ["latest", "--dry-run"]]) {
      const { code, stderr } = await restore(...args);
      expect([code, await isEmpty()], stderr).toEqual([2, true]);
      expect(stderr).toContain(small);
      expect(stderr).toContain("The table public.orders has lost all its rows");
      expect(stderr).toContain(`provision restore ${small} --accept-suspicious`);
      expect(stderr).toContain(`provision restore ${newer}`);
    }
    const plan = await restore("latest", "--accept-suspicious", "--dry-run");
    expect([plan.code, plan.stdout.includes("suspicious: The table public.orders has lost all")]).toEqual([0, true]);
    const { chosen } = printed(await restore(small, "--accept-suspicious", "--json")) as Printed;
    expect(chosen.suspicious).toEqual([expect.stringContaining("public.orders")]);
    expect(await rows()).toBe(0);
    printed(await sandbox.run("accept", small, "--reason", "archived", "--json"));
    expect((printed(await restore("latest", "--json")) as Printed).chosen).not.toHaveProperty("suspicious");
  },
  LIMIT_MS,
);

it(
  "a newer one that is forged, of another version or unreadable is named, and not used",
  async () => {
    const forged = "20990101T000000Z-0a0b0c";
    cpSync(folder(0, newer), folder(0, forged), { recursive: true });
    const text = readFileSync(join(folder(0, newer), "manifest.json"), "utf8");
    const manifest = Object.fromEntries(
      Object.entries(JSON.parse(text) as object).filter(([name]) => !["checksum", "signature"].includes(name)),
    );
    const put = (id: string, document: object) => {
      const sum = createHash("sha256").update(JSON.stringify(document)).digest("hex");
      const text = JSON.stringify({ ...document, checksum: `sha256:${sum}` }, null, 2);
      writeFileSync(join(folder(0, id), "manifest.json"), `${text}\n`);
    };
    put(forged, { ...manifest, id: forged });
    const nonsense = "20990102T000000Z-0a0b0c";
    cpSync(folder(0, newer), folder(0, nonsense), { recursive: true });
    writeFileSync(join(folder(0, nonsense), "manifest.json"), "nonsense");
    const { code, stdout } = await restore("latest");
    expect([code, await rows()], stdout).toEqual([0, 6000]);
    expect(stdout).toMatch(new RegExp(`newer, not used: ${forged} in .* may be forged`));
    expect(stdout).toMatch(new RegExp(`newer, not used: ${nonsense} in .* it is damaged`));

    // A job without a key, and a manifest of a version to come.
    delete sandbox.job.signing;
    for (const id of [forged, nonsense]) rmSync(folder(0, id), { recursive: true });
    cpSync(folder(0, newer), folder(0, forged), { recursive: true });
    put(forged, { ...manifest, id: forged, format: 99 });
    const { chosen } = printed(await restore("latest", "--json")) as Printed;
    expect([chosen.id, chosen.notUsed]).toEqual([
      newer,
      [expect.stringMatching(new RegExp(`newer, not used: ${forged} in .* does not know its format`))],
    ]);
    expect(readdirSync(folder(0, newer)).length).toBeGreaterThan(1);
  },
  LIMIT_MS,
);

it(
  "a backup that is encrypted and was not decrypted is not called read",
  async () => {
    const { publicKey, identity } = await identityOf();
    sandbox.job.encryption = { recipients: [publicKey] };
    const { id } = await makeBackup(sandbox);
    const { code, stdout } = await sandbox.run("verify", id);
    expect([code, stdout]).toEqual([3, expect.stringContaining("NOT READ IN FULL")]);
    expect(stdout).toContain("--identity");
    writeFileSync(join(sandbox.path, "identity.txt"), identity, { mode: 0o600 });
    expect((await sandbox.run("verify", id, "--identity", `file:${join(sandbox.path, "identity.txt")}`)).code).toBe(0);
    // A run without the private key verifies what it has just written, as before.
    expect((await makeBackup(sandbox)).destinations).toMatchObject([
      { verification: { outcome: "verified" } },
      { verification: { outcome: "verified" } },
    ]);
  },
  LIMIT_MS,
);

async function identityOf(): Promise<{ publicKey: string; identity: string }> {
  const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
  const identity = await generateX25519Identity();
  registerSecret("a private key", identity);
  return { identity, publicKey: await identityToRecipient(identity) };
}
