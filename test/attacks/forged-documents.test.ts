import { createHash, randomBytes } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DrillReport } from "../../runner/operations/drill.ts";
import type { Report } from "../../runner/operations/report/report.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { registerSecret } from "../../tools/services/known-secrets.ts";
import { emptyDatabase, sql } from "../helpers/databases.ts";
import { backupFolder, foldersOf, listed, makeBackup, printed } from "../helpers/reports.ts";
import { Sandbox } from "../helpers/sandbox.ts";

/*
 * The attacker may write to the store and has no key. They know the format from the documentation, and write files with JSON and SHA-256
 * alone. The owner's job has a key, and signed backups. What the attacker writes is shown, and decides nothing.
 */

const HOUR_MS = 3_600_000;
const LIMIT_MS = 240_000;
const stamp = (ms: number) => new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, "");
/** A day before now there was a key; what is older may lack a signature. */
const begun = Date.now();
const since = new Date(begun - 24 * HOUR_MS).toISOString();
const oldId = (number: number) => `${stamp(begun - (48 - number) * HOUR_MS)}-abcdef`;

type Json = Record<string, unknown>;

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  await emptyDatabase(postgres, "shop");
  await sql(postgres, "shop", "CREATE TABLE orders AS SELECT n FROM generate_series(1, 20000) AS n; ANALYZE");
  const key = randomBytes(32).toString("hex");
  registerSecret("a signing key", key);
  sandbox = new Sandbox(postgres.url("shop"), { signing: { key: { env: "KEY" }, since }, retention: { last: 1 } });
  sandbox.environment.KEY = key;
});
afterEach(() => {
  sandbox.remove();
});

const readJson = (id: string, name = "manifest.json") =>
  JSON.parse(readFileSync(join(backupFolder(sandbox, id), name), "utf8")) as Json & { database: Json; objects: Json[] };

const without = (document: Json, ...names: string[]): Json =>
  Object.fromEntries(Object.entries(document).filter(([name]) => !names.includes(name)));

/** Writes a document with its checksum, and without a signature. */
function put(id: string, name: string, document: Json): void {
  const content = without(document, "checksum", "signature");
  const sum = createHash("sha256").update(JSON.stringify(content)).digest("hex");
  mkdirSync(backupFolder(sandbox, id), { recursive: true });
  writeFileSync(
    join(backupFolder(sandbox, id), name),
    `${JSON.stringify({ ...content, checksum: `sha256:${sum}` }, null, 2)}\n`,
  );
}

/** Puts a copy of a real backup there under another id, without its signature and with whatever the attacker likes. */
function forge(real: string, id: string, changes: (manifest: ReturnType<typeof readJson>) => Json = () => ({})): void {
  cpSync(backupFolder(sandbox, real), backupFolder(sandbox, id), { recursive: true });
  for (const name of readdirSync(backupFolder(sandbox, id))) {
    if (name.startsWith("verified-")) rmSync(join(backupFolder(sandbox, id), name));
  }
  const manifest = readJson(real);
  put(id, "manifest.json", { ...manifest, id, ...changes(manifest) });
}

/** Puts a record there, of the time in its name. */
function record(id: string, outcome: string, ms: number, content: Json): void {
  const time = new Date(Math.floor(ms / 1000) * 1000).toISOString();
  put(id, `${outcome}-${stamp(ms)}.json`, {
    format: 1,
    id,
    program: "1.0.0",
    outcome,
    ...stamps(outcome, time),
    ...content,
  });
}

const stamps = (outcome: string, time: string) =>
  outcome.startsWith("dril")
    ? { drilledAt: time }
    : ["verified", "damaged"].includes(outcome)
      ? { checkedAt: time }
      : { recordedAt: time };

const forgeVerified = (real: string, id: string, changes?: Parameters<typeof forge>[2]) => {
  forge(real, id, changes);
  record(id, "verified", Date.now() - HOUR_MS, { problems: [] });
};

const stateOf = async (id: string) => (await listed(sandbox)).find((each) => each.id === id)?.state;

describe("a forged backup that says it is older than the key", () => {
  it(
    "and of another database ends no backup, no prune and no doctor",
    async () => {
      const { id } = await makeBackup(sandbox);
      forgeVerified(id, oldId(1), ({ database }) => ({
        order: Number.MAX_SAFE_INTEGER,
        database: { ...database, identity: { systemIdentifier: "1", name: "elsewhere" }, formerly: [] },
      }));
      const { id: next, destinations } = await makeBackup(sandbox);
      expect(destinations).toMatchObject([{ prune: { removed: [id] } }]);
      expect(readJson(next).database).not.toHaveProperty("formerly");
      expect((await sandbox.run("prune")).code).toBe(0);
      expect((await sandbox.run("doctor")).code).toBe(0);
      expect(await stateOf(oldId(1))).toBe("verified");
      // Neither does it become one of the job's former databases when a person says that the database has moved.
      const { id: adopted } = await makeBackup(sandbox, "--adopt");
      expect(readJson(adopted).database).not.toHaveProperty("formerly");
    },
    LIMIT_MS,
  );

  it(
    "and the last of all takes the order of no signed one",
    async () => {
      const { id } = await makeBackup(sandbox);
      forgeVerified(id, oldId(1), () => ({ order: Number.MAX_SAFE_INTEGER }));
      // The same by the year in a folder's name alone.
      mkdirSync(backupFolder(sandbox, "99991231T235959Z-abcdef"));
      writeFileSync(join(backupFolder(sandbox, "99991231T235959Z-abcdef"), "manifest.json"), "{}");
      const former = readJson(id).order as number;
      const { id: next } = await makeBackup(sandbox);
      const order = readJson(next).order as number;
      expect(order).toBeGreaterThan(former);
      expect(order).toBeLessThan(Date.now() + HOUR_MS);
    },
    LIMIT_MS,
  );

  it(
    "takes no part of what a prune may remove at once, and no place",
    async () => {
      sandbox.job.retention = { last: 20 };
      const { id } = await makeBackup(sandbox);
      for (let number = 1; number <= 6; number += 1) forgeVerified(id, oldId(number));
      sandbox.job.retention = { last: 1 };
      const { id: next, destinations } = await makeBackup(sandbox);
      expect(destinations[0]?.prune?.removed).toContain(id);
      expect(destinations[0]?.warnings).toEqual([expect.stringContaining("without a signature")]);
      expect(foldersOf(sandbox)).toEqual([...[1, 2, 3, 4, 5, 6].map(oldId), next].sort());
    },
    LIMIT_MS,
  );

  it(
    "hides no collapse, neither as usual nor as accepted",
    async () => {
      const { id } = await makeBackup(sandbox);
      for (const number of [1, 2, 3]) {
        forgeVerified(id, oldId(number), ({ database }) => ({
          order: Number.MAX_SAFE_INTEGER,
          database: { ...database, tables: [{ schema: "public", name: "orders", estimatedRows: 0 }] },
        }));
      }
      record(oldId(3), "unusual", Date.now() - HOUR_MS, { accepted: "it is right", anomalies: [] });
      await sql(postgres, "shop", "TRUNCATE orders");
      const { anomalies, id: small } = await makeBackup(sandbox);
      expect(anomalies).toContainEqual({ what: "rows", table: "public.orders", usual: 20000, now: 0 });
      expect(foldersOf(sandbox)).toEqual(expect.arrayContaining([id, small]));
    },
    LIMIT_MS,
  );

  it(
    "proves nothing in a report, and is no recovery point",
    async () => {
      sandbox.job.objectives = { recoveryPoint: "72h" };
      const { id } = await makeBackup(sandbox);
      forgeVerified(id, oldId(1));
      record(oldId(1), "drilled", Date.now() - HOUR_MS, {
        serverVersion: "17.4",
        tables: 1,
        rows: 20000,
        problems: [],
      });
      rmSync(backupFolder(sandbox, id), { recursive: true });
      const { jobs } = printed(await sandbox.run("report", "--format", "json", "--json")) as Report;
      expect(jobs).toMatchObject([{ recoverable: null, proven: null, restore: null }]);
      expect(jobs[0]?.backups).toMatchObject([{ id: oldId(1), copies: [{ state: "verified", signed: false }] }]);
      expect(printed(await sandbox.run("list", "--json"))).toMatchObject([
        { recoveryPoint: { newest: null, met: false } },
      ]);
    },
    LIMIT_MS,
  );
});

describe("a date to come", () => {
  it.each<[string, (real: string) => void]>([
    [
      "in the name of a folder with a forged manifest",
      (real) => {
        forge(real, `${stamp(Date.now() + 9_000 * HOUR_MS)}-abcdef`);
      },
    ],
    [
      "in the name of a folder with nonsense for a manifest",
      () => {
        const id = `${stamp(Date.now() + 9_000 * HOUR_MS)}-abcdef`;
        mkdirSync(backupFolder(sandbox, id));
        writeFileSync(join(backupFolder(sandbox, id), "manifest.json"), "nonsense");
      },
    ],
    [
      "in a record beside that",
      (real) => {
        const id = `${stamp(Date.now() - HOUR_MS)}-abcdef`;
        forge(real, id);
        writeFileSync(join(backupFolder(sandbox, id), "manifest.json"), "nonsense");
        record(id, "verified", Date.now() + 9_000 * HOUR_MS, { problems: [] });
      },
    ],
    [
      "in a record beside a backup that says it is older than the key",
      (real) => {
        forge(real, oldId(1));
        record(oldId(1), "verified", Date.now() + 9_000 * HOUR_MS, { problems: [] });
      },
    ],
    [
      "in a record beside a signed backup",
      (real) => {
        record(real, "verified", Date.now() + 9_000 * HOUR_MS, { problems: [] });
      },
    ],
  ])(
    "%s keeps no signed backup from being pruned",
    async (_where, attack) => {
      const { id } = await makeBackup(sandbox);
      attack(id);
      const { destinations, id: next } = await makeBackup(sandbox);
      expect(destinations[0]?.prune?.removed).toEqual([id]);
      expect(foldersOf(sandbox)).toContain(next);
      expect((await sandbox.run("prune")).code).toBe(0);
    },
    LIMIT_MS,
  );
});

describe("a forged record", () => {
  it(
    "whose name a true one takes later makes that one count for nothing less",
    async () => {
      const { id } = await makeBackup(sandbox, "--no-verify");
      // Every second in which the owner may find the damage, before a verification says which records it has seen.
      const from = Date.now();
      const names: string[] = [];
      for (let second = 0; second < 180; second += 1) {
        record(id, "damaged", from + second * 1000, { problems: ["forged"] });
        names.push(`damaged-${stamp(from + second * 1000)}.json`);
      }
      expect((await sandbox.run("verify", id)).code).toBe(0);
      for (const name of names) rmSync(join(backupFolder(sandbox, id), name));
      const data = join(backupFolder(sandbox, id), "database.dump.zst");
      const bytes = readFileSync(data);
      bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
      writeFileSync(data, bytes);
      expect((await sandbox.run("verify", id)).code).toBe(5);
      expect(names).toContain(readdirSync(backupFolder(sandbox, id)).find((name) => name.startsWith("damaged-")));
      expect(await stateOf(id)).toBe("damaged");
    },
    LIMIT_MS,
  );

  it(
    "in another store does not stand for reading a copy there",
    async () => {
      const { id } = await makeBackup(sandbox);
      const second = join(sandbox.path, "second");
      sandbox.job.destinations = [
        { kind: "filesystem", path: sandbox.store },
        { kind: "filesystem", path: second },
      ];
      const copy = join(second, "test/app", id);
      cpSync(backupFolder(sandbox, id), copy, { recursive: true });
      const [verified = ""] = readdirSync(copy).filter((name) => name.startsWith("verified-"));
      rmSync(join(copy, verified));
      const data = join(copy, "database.dump.zst");
      const bytes = readFileSync(data);
      bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
      writeFileSync(data, bytes);
      record(id, "verified", Date.now() - HOUR_MS, { problems: [] });
      const forged = `verified-${stamp(Date.now() - HOUR_MS)}.json`;
      const [name = forged] = readdirSync(backupFolder(sandbox, id)).filter(
        (each) => each.startsWith("verified-") && each !== verified,
      );
      cpSync(join(backupFolder(sandbox, id), name), join(copy, name));
      rmSync(join(backupFolder(sandbox, id), name));
      const [report] = printed(await sandbox.run("copy", id, "--from", "0", "--to", "1", "--json"), 5) as Json[];
      expect(report).toMatchObject({ verification: { outcome: "damaged" } });
    },
    LIMIT_MS,
  );
});

describe("a forged hold", () => {
  const hold = async (id: string, ...args: string[]) =>
    printed(await sandbox.run("hold", id, "--reason", "the audit", "--json", ...args)) as Json[];

  it(
    "keeps a backup, is shown as unproven everywhere, and ends by a release",
    async () => {
      const { id } = await makeBackup(sandbox);
      record(id, "held", Date.now() - HOUR_MS, { reason: "forged" });
      writeFileSync(join(backupFolder(sandbox, id), `held-${stamp(Date.now() - 2 * HOUR_MS)}.json`), "nonsense");
      const { destinations } = await makeBackup(sandbox);
      expect(destinations[0]?.prune?.removed).toEqual([]);
      const warned = expect.stringMatching(
        /held-.* may be forged.* proves no hold, .* `provision release` ends it/s,
      ) as string;
      expect(destinations[0]?.warnings).toEqual(expect.arrayContaining([warned]));
      const shown = (await listed(sandbox)).find((each) => each.id === id);
      expect(shown?.warnings).toEqual(expect.arrayContaining([warned]));
      // What the attacker gives as the reason is not told as a person's.
      expect(JSON.stringify(shown)).not.toContain('"reason":"forged"');
      expect((await sandbox.run("release", id, "--all", "--reason", "nobody wanted it")).code).toBe(0);
      expect(printed(await sandbox.run("prune", "--json"))).toMatchObject([{ removed: [id] }]);
    },
    LIMIT_MS,
  );

  it(
    "that a release has ended gives its name to a true hold, which stands all the same",
    async () => {
      const { id } = await makeBackup(sandbox);
      const from = Date.now();
      const names: string[] = [];
      // Every second in which the owner may hold the backup later.
      for (let second = 0; second < 180; second += 1) {
        record(id, "held", from + second * 1000, { reason: "forged" });
        names.push(`held-${stamp(from + second * 1000)}.json`);
      }
      expect((await sandbox.run("release", id, "--all", "--reason", "they are forged")).code).toBe(0);
      for (const name of names) rmSync(join(backupFolder(sandbox, id), name));
      await hold(id);
      expect(names).toContain(readdirSync(backupFolder(sandbox, id)).find((name) => name.startsWith("held-")));
      const { destinations } = await makeBackup(sandbox);
      expect(destinations[0]?.prune?.removed).toEqual([]);
      expect(foldersOf(sandbox)).toContain(id);
    },
    LIMIT_MS,
  );
});

it(
  "thousands of forged folders end no backup, and are named in a few lines",
  async () => {
    const { id } = await makeBackup(sandbox);
    for (let number = 0; number < 3000; number += 1) {
      const forged = `${stamp(begun - (10_000 + number) * 1000)}-abcdef`;
      put(forged, "manifest.json", { ...readJson(id), id: forged, order: Number.MAX_SAFE_INTEGER });
    }
    const { destinations } = await makeBackup(sandbox);
    expect(destinations).toMatchObject([{ prune: { removed: [id] } }]);
    expect(destinations[0]?.warnings?.length).toBeLessThan(50);
    expect(foldersOf(sandbox)).toHaveLength(3001);
  },
  LIMIT_MS,
);

describe("a drill with --accept-unproven", () => {
  const drill = async (id: string, code = 0) =>
    printed(await sandbox.run("drill", id, "--accept-unproven", "--json"), code) as DrillReport;
  const drilled = (id: string) => readdirSync(backupFolder(sandbox, id)).filter((name) => name.startsWith("drill"));
  beforeEach(() => {
    sandbox.job.drill = { target: { env: "APP_URL" }, acceptSharedUser: true };
  });

  it(
    "signs the record of a signed backup, and writes none beside one that nothing proves",
    async () => {
      const { id } = await makeBackup(sandbox);
      expect(await drill(id)).toMatchObject({ outcome: "drilled", recorded: true });
      const [name = ""] = drilled(id);
      expect(readJson(id, name).signature).toMatch(/^hmac-sha256:/);
      const forged = `${stamp(Date.now())}-abcdef`;
      forge(id, forged);
      for (const each of drilled(forged)) rmSync(join(backupFolder(sandbox, forged), each));
      const report = await drill(forged);
      expect(report).toMatchObject({ outcome: "drilled", recorded: false });
      expect(report.warnings).toContainEqual(expect.stringContaining("nothing proves which backup this is"));
      expect(drilled(forged)).toEqual([]);
      // Of those, `latest` means the signed one.
      expect((await drill("latest")).id).toBe(id);
    },
    LIMIT_MS,
  );
});

it(
  "a forged lease that is renewed all the time keeps no run from the store, and its number counts for nothing",
  async () => {
    const folder = join(sandbox.store, "test/app/lease");
    mkdirSync(folder, { recursive: true });
    const lease = (number: number, ending = "") => {
      const times = { startedAt: since, validUntil: since };
      const document = { format: 1, owner: "attacker", host: "elsewhere", program: "1.0.0", ...times };
      const sum = createHash("sha256").update(JSON.stringify(document)).digest("hex");
      const text = JSON.stringify({ ...document, checksum: `sha256:${sum}` }, null, 2);
      writeFileSync(join(folder, `${String(number).padStart(10, "0")}${ending}.json`), `${text}\n`);
    };
    let number = 100;
    lease(1);
    lease(9_999_999_999);
    const renewing = setInterval(() => {
      mkdirSync(folder, { recursive: true });
      lease((number += 1));
    }, 200);
    try {
      const { code, stderr } = await sandbox.run("backup", "--json");
      expect(code, stderr).toBe(0);
      expect(stderr).toMatch(/\d objects of the lease in test\/app\/lease have no signature/);
      expect(stderr).not.toMatch(/No lease could be taken|taken over/);
    } finally {
      clearInterval(renewing);
    }
    expect((await sandbox.run("doctor")).stdout).toContain("lease: no run has it");
  },
  LIMIT_MS,
);

it(
  "thousands of forged leases stop no backup, and the run and doctor say what to remove",
  async () => {
    const folder = join(sandbox.store, "test/app/lease");
    mkdirSync(folder, { recursive: true });
    for (let number = 1; number <= 5000; number += 1) {
      writeFileSync(join(folder, `${String(number).padStart(10, "0")}.json`), "{}\n");
    }
    const { code, stderr } = await sandbox.run("backup", "--json");
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/No lease could be taken.* test\/app\/lease holds 5000 objects.* newest 200 are forged/);
    expect((await sandbox.run("doctor")).stdout).toMatch(/lease: .*forged[^]*Remove the folder test\/app\/lease/);
  },
  LIMIT_MS,
);
