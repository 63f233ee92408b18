import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Manifest } from "../../runner/backups/documents/manifest.ts";
import type { Verification } from "../../runner/operations/verify.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { canSeeProcesses, processes } from "../helpers/processes.ts";
import { Random } from "../helpers/random.ts";
import { backupFolder, foldersOf, listed, makeBackup, printed } from "../helpers/reports.ts";
import { Sandbox } from "../helpers/sandbox.ts";
import { filesIn } from "../helpers/store.ts";

const KILLS = 8;
/** For all of them together, the 60 s of other tests are too few on a machine that is four times slower than usual. */
const ALL_KILLS = { timeout: 240_000 };
/** A name of this process's own: it distinguishes its pg_dumps from everybody else's. */
const DATABASE = `bulk_${process.pid}`;
const seesProcesses = canSeeProcesses(
  "processes that a kill leaves behind are not looked for, and pg_dump is not killed",
);
const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url(DATABASE), { megabytes: 20 });
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(postgres.url(DATABASE), {
    encryption: { recipients: [recipient], identity: { env: "AGE_IDENTITY" } },
    // Slow enough that each moment of a run has its share of the kills.
    compression: { level: 9 },
    retention: { last: 2 },
  });
  sandbox.environment.AGE_IDENTITY = identity;
});
afterEach(() => {
  sandbox.remove();
});

/** The processes that dump the database. */
const dumps = () =>
  processes().filter(({ command }) => command.includes("/pg_dump") && command.includes(`dbname='${DATABASE}'`));

async function until(condition: () => boolean, what: string, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Not within ${ms} ms: ${what}`);
    await sleep(5);
  }
}

/** Each backup with a manifest has every file that it names, as it says. */
function expectWholeBackups(): void {
  for (const id of foldersOf(sandbox)) {
    const manifest = join(backupFolder(sandbox, id), "manifest.json");
    if (!existsSync(manifest)) continue;
    for (const { file, stored } of (JSON.parse(readFileSync(manifest, "utf8")) as Manifest).objects) {
      const bytes = readFileSync(join(backupFolder(sandbox, id), file));
      expect(createHash("sha256").update(bytes).digest("hex"), `${id}/${file}`).toBe(stored.sha256);
    }
  }
}

/** No file of the store, of the home folder or of the folder for temporary files holds a secret. */
function expectNoSecrets(): void {
  const secrets = [postgres.password, identity].flatMap((secret) => [secret, Buffer.from(secret).toString("base64")]);
  for (const file of filesIn(sandbox.path)) {
    const bytes = readFileSync(join(sandbox.path, file));
    expect(
      secrets.filter((secret) => bytes.includes(secret)),
      file,
    ).toEqual([]);
  }
}

/** The next run works, and tidies up after the dead one. */
async function expectRecovery(): Promise<void> {
  // A prune leaves what may be of a run of the same second: that is all that the name of a folder tells.
  await sleep(1_000 - (Date.now() % 1_000));
  await makeBackup(sandbox);
  const backups = await listed(sandbox);
  expect(foldersOf(sandbox)).toEqual(backups.map(({ id }) => id));
  expect(filesIn(sandbox.store).filter((file) => file.endsWith(".partial"))).toEqual([]);
  expect(backups.at(-1)?.state).toBe("verified");
}

it("kill -9 of the runner, at any moment, leaves no half of a backup and no secret", ALL_KILLS, async () => {
  const random = new Random(20_260_102);
  const begun = performance.now();
  await makeBackup(sandbox);
  const duration = performance.now() - begun;
  let unfinished = 0;
  // More of them where all moments were before or after the dump.
  for (let kill = 0; kill < KILLS || (unfinished === 0 && kill < 4 * KILLS); kill += 1) {
    const run = sandbox.start("backup");
    // Before a quarter of the time nothing but Node.js itself has started.
    await sleep(duration * (0.2 + 0.8 * random.next()));
    run.child.kill("SIGKILL");
    await run.ended;
    expectWholeBackups();
    expectNoSecrets();
    if (foldersOf(sandbox).length > (await listed(sandbox)).length) unfinished += 1;
    if (seesProcesses) await until(() => dumps().length === 0, "the end of pg_dump");
    if (kill % 2 === 1) await expectRecovery();
  }
  expect(unfinished).toBeGreaterThan(0);
  const verifications = printed(await sandbox.run("verify", "--all", "--json")) as Verification[];
  // The rule keeps two verified ones, and on its own up to two that were killed between their commit and their verification.
  expect(verifications.length).toBeGreaterThanOrEqual(2);
  expect(verifications.length).toBeLessThanOrEqual(4);
  expect(new Set(verifications.map(({ outcome }) => outcome))).toEqual(new Set(["verified"]));
});

it.runIf(seesProcesses)("kill -9 of pg_dump, at any moment, ends without a backup", ALL_KILLS, async () => {
  const random = new Random(3);
  const exits: (number | null)[] = [];
  const hits = () => exits.filter((code) => code === 4).length;
  let duration = 0;
  // On a busy machine no two dumps take the same time: it goes on until most of them were hit.
  for (let kill = -1; kill < KILLS || (hits() <= KILLS / 2 && kill < 4 * KILLS); kill += 1) {
    const run = sandbox.start("backup");
    const own = () => dumps().filter(({ parent }) => parent === run.child.pid);
    await until(() => own().length > 0, "the start of pg_dump");
    const begun = performance.now();
    if (kill < 0) {
      // The first one goes its way, and tells how long that is.
      await until(() => own().length === 0, "the end of pg_dump");
      duration = performance.now() - begun;
    } else {
      await sleep(duration * 0.9 * random.next());
      for (const { pid } of own()) process.kill(pid, "SIGKILL");
    }
    const { code, stderr } = await run.ended;
    exits.push(code);
    if (code !== 0) {
      expect([code, stderr]).toEqual([4, expect.stringMatching(/pg_dump [\d.]+ was ended by SIGKILL/)]);
      // The runner itself tidies up.
      expect(filesIn(sandbox.store).filter((file) => file.endsWith(".partial"))).toEqual([]);
      expect(foldersOf(sandbox)).toEqual((await listed(sandbox)).map(({ id }) => id));
    }
    expectWholeBackups();
    expectNoSecrets();
    expect(dumps()).toEqual([]);
  }
  expect(hits()).toBeGreaterThan(KILLS / 2);
  await expectRecovery();
});

describe("no backup comes of a pg_dump that", () => {
  it.each([
    ["exits with 1 after it wrote everything", '"$real" "$@"; exit 1', 4, /pg_dump [\d.]+ exited with 1/],
    ["says why it failed", 'echo "pg_dump: error: out of luck" >&2; exit 1', 4, /out of luck/],
    ["is ended by a signal after it wrote everything", '"$real" "$@"; kill -9 $$', 4, /was ended by SIGKILL/],
    ["does nothing at all, and exits with 0", "exit 0", 5, /database\.dump\.zst/],
    ["writes only a part, and exits with 0", '"$real" "$@" | head -c 500000; exit 0', 5, /database\.dump\.zst/],
  ])("%s", async (_what, script, expected, message) => {
    sandbox.replaceClient("pg_dump", postgres.binDirectory, script);
    const { code, stdout, stderr } = await sandbox.run("backup", "--json");
    expect(code, stderr).toBe(expected);
    expect(stdout).toMatch(message);
    // What pg_dump itself calls complete is stored, found damaged, and not taken for a backup by `latest`.
    expect((await listed(sandbox)).map(({ state }) => state)).toEqual(expected === 5 ? ["damaged"] : []);
    if (expected === 4) expect(foldersOf(sandbox)).toEqual([]);
  });
});
