import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Check } from "../../providers/database/database.ts";
import type { BackupReport } from "../../runner/operations/backup/report.ts";
import type { Verification } from "../../runner/operations/verify.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { ensureProgram } from "../helpers/ensure-program.ts";
import { query } from "../../tools/query.ts";
import { backupFolder, foldersOf, makeBackup, printed } from "../helpers/reports.ts";
import { Sandbox, type Ended } from "../helpers/sandbox.ts";

const LIMIT_MS = 900_000;
const hasFaketime = await ensureProgram("faketime", "faketime");
const [library = ""] = globSync("/usr/lib/**/faketime/libfaketime.so.1");

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await query(postgres.url("postgres"), "CREATE TABLE one AS SELECT 1 AS id");
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(postgres.url("postgres"), { retention: { last: 1 } });
});
afterEach(() => {
  sandbox.remove();
});

/** Runs `provision` with the machine's clock ahead, as faketime's offset says: `+2d`. The server's and the store's are right. */
async function runAhead(offset: string, ...args: string[]): Promise<Ended> {
  const faked = { LD_PRELOAD: library, FAKETIME: offset, NO_FAKE_STAT: "1", FAKETIME_DONT_FAKE_MONOTONIC: "1" };
  Object.assign(sandbox.environment, { ...faked, DONT_FAKE_MONOTONIC: "1" });
  try {
    return await sandbox.run(...args);
  } finally {
    for (const name of [...Object.keys(faked), "DONT_FAKE_MONOTONIC"])
      Reflect.deleteProperty(sandbox.environment, name);
  }
}

interface Listed {
  readonly backups: readonly { readonly id: string; readonly state: string; readonly warnings?: readonly string[] }[];
}

async function listedBackups(): Promise<Listed["backups"]> {
  const [first] = printed(await sandbox.run("list", "--json")) as Listed[];
  return first?.backups ?? [];
}

/** Changes a byte in the middle of a backup's archive. */
function damage(id: string): void {
  const file = join(backupFolder(sandbox, id), "database.dump.zst");
  const bytes = readFileSync(file);
  const middle = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  writeFileSync(file, bytes);
}

describe.runIf(hasFaketime && library !== "")("a clock that jumps", () => {
  it(
    "ahead for one run costs no later backup: nothing is pruned until its time has come, and then the right one",
    async () => {
      const ahead = printed(await runAhead("+2d", "backup", "--json")) as BackupReport;
      expect(ahead.warnings).toEqual([
        expect.stringMatching(/^The server's clock is (2 d|1 d 23 h).* behind this machine's\./),
      ]);
      expect(ahead.destinations[0]?.warnings).toEqual([expect.stringMatching(/^The store's clock is .* behind/)]);

      const later: BackupReport[] = [];
      for (let run = 0; run < 2; run += 1) {
        const report = printed(await sandbox.run("backup", "--json"), 3) as BackupReport;
        expect(report.destinations[0]).toMatchObject({ stored: true, verification: { outcome: "verified" } });
        expect(report.destinations[0]?.errors).toMatchObject([{ code: "CONFLICT" }]);
        expect(report.destinations[0]?.errors[0]?.message).toContain(`test/app/${ahead.id} is from the future`);
        expect(report.destinations[0]?.errors[0]?.fix).toContain("NTP");
        later.push(report);
      }
      const made = [ahead.id, ...later.map(({ id }) => id)];
      expect(foldersOf(sandbox)).toEqual([...made].sort());

      // As they were made, and not as their names sort.
      const list = await listedBackups();
      expect(list.map(({ id, state }) => [id, state])).toEqual(made.map((id) => [id, "verified"]));
      expect(list.map(({ warnings = [] }) => warnings.some((text) => text.includes("future")))).toEqual([
        true,
        false,
        false,
      ]);
      const [latest] = printed(await sandbox.run("verify", "--json")) as Verification[];
      expect(latest?.id).toBe(made[2]);

      const refused = await sandbox.run("prune");
      expect(refused.code, refused.stderr).toBe(2);
      expect(refused.stderr).toContain(ahead.id);
      expect(foldersOf(sandbox).length).toBe(3);

      expect((await runAhead("+3d", "prune")).code).toBe(0);
      expect(foldersOf(sandbox)).toEqual([made[2]]);
    },
    LIMIT_MS,
  );

  it(
    "does not hide that a backup was found damaged, and the good one stays",
    async () => {
      const good = await makeBackup(sandbox);
      const ahead = printed(await runAhead("+3h", "backup", "--json", "--no-prune")) as BackupReport;
      damage(ahead.id);
      printed(await sandbox.run("verify", ahead.id, "--json"), 5);
      const states = async () => (await listedBackups()).map(({ id, state }) => [id, state]);
      const expected = [
        [good.id, "verified"],
        [ahead.id, "damaged"],
      ];
      expect(await states()).toEqual(expected);
      expect((await sandbox.run("prune")).code).toBe(2);
      expect((await runAhead("+4h", "prune")).code).toBe(0);
      expect(await states()).toEqual(expected);
    },
    LIMIT_MS,
  );

  it(
    "is a finding of doctor, by how much and whose",
    async () => {
      const checks = printed(await runAhead("+2h", "doctor", "--json")) as Check[];
      const clocks = checks.filter(({ name }) => name.endsWith("clock"));
      expect(clocks.map(({ detail }) => detail)).toEqual([
        expect.stringMatching(/^the server's clock is (2 h|1 h 59 min).* behind this machine's$/),
        expect.stringMatching(/^the store's clock is (2 h|1 h 59 min).* behind this machine's$/),
      ]);
      for (const { ok, fix } of clocks) expect([ok, fix?.includes("NTP")]).toEqual([true, true]);
      const right = printed(await sandbox.run("doctor", "--json")) as Check[];
      expect(right.filter(({ name }) => name.endsWith("clock")).map(({ detail, fix }) => [detail, fix])).toEqual([
        ["the server's clock and this machine's agree", undefined],
        ["the store's clock and this machine's agree", undefined],
      ]);
    },
    LIMIT_MS,
  );
});
