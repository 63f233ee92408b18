import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { BackupReport } from "../../../runner/operations/backup/report.ts";
import type { RetryReport } from "../../../runner/operations/complete-backup.ts";
import { compareDatabases } from "../../../tools/compare-databases.ts";
import { startPostgres, type Postgres } from "../../../tools/postgres.ts";
import { createSampleDatabase } from "../../../tools/sample-database.ts";
import { flipBit } from "../../helpers/damage.ts";
import { emptyDatabase } from "../../helpers/databases.ts";
import { printed, type Listed } from "../../helpers/reports.ts";
import { Sandbox } from "../../helpers/sandbox.ts";
import { filesIn } from "../../helpers/store.ts";
import { SentryIngest } from "../../../tools/services/sentry-ingest.ts";

const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);

let postgres: Postgres;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 1 });
});
afterAll(() => postgres.stop());
beforeEach(() => {
  sandbox = new Sandbox(postgres.url("shop"), { encryption: { recipients: [recipient] } });
  sandbox.job.destinations = ["one", "two", "three"].map((name) => ({ kind: "filesystem", path: place(name) }));
});
afterEach(() => {
  sandbox.remove();
});

const place = (name: string) => join(sandbox.path, name);
const block = (name: string) => {
  writeFileSync(place(name), "a file, not a folder");
};
const unblock = (name: string) => {
  rmSync(place(name));
};
const stateOf = async () =>
  (printed(await sandbox.run("list", "--json")) as Listed[]).map(({ backups }) => backups.map(({ state }) => state));

/** Makes a backup that some destinations do not get, and takes the database away. */
async function partialRun(...without: string[]): Promise<string> {
  without.forEach(block);
  const { id } = printed(await sandbox.run("backup", "--json"), 3) as BackupReport;
  without.forEach(unblock);
  sandbox.environment.APP_URL = "postgres://nobody@127.0.0.1:1/nowhere";
  return id;
}

async function retry(id: string, code = 0): Promise<RetryReport> {
  return printed(await sandbox.run("backup", "--retry", id, "--json"), code) as RetryReport;
}

it("completes a partial run without the database and without the private key", async () => {
  const id = await partialRun("two", "three");
  expect(await retry(id)).toMatchObject({
    id,
    status: "ok",
    destinations: [
      { destination: `filesystem ${place("one")}`, status: "present", errors: [] },
      {
        destination: `filesystem ${place("two")}`,
        status: "copied",
        copy: { copied: 2, verification: { outcome: "stored" } },
      },
      { destination: `filesystem ${place("three")}`, status: "copied", copy: { from: `filesystem ${place("one")}` } },
    ],
  });
  expect(await stateOf()).toEqual([["verified"], ["verified"], ["verified"]]);
  const [one, two] = ["one", "two"].map((name) => filesIn(place(name)).filter((file) => !file.includes("/copied-")));
  expect(two).toEqual(one);
  sandbox.environment.AGE_IDENTITY = identity;
  sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy");
  const restored = await sandbox.run(
    ...["restore", id, "--to", "env:TARGET_URL", "--destination", "2", "--identity", "env:AGE_IDENTITY"],
  );
  expect(restored.code, restored.stderr).toBe(0);
  expect((await compareDatabases(postgres.url("shop"), postgres.url("copy"))).differences).toEqual([]);
});

it("has nothing to do the second time, and says so", async () => {
  const id = await partialRun("two");
  await retry(id);
  const before = filesIn(sandbox.path);
  const { code, stdout } = await sandbox.run("backup", "--retry", id);
  expect([code, stdout]).toEqual([0, expect.stringContaining(`${id}: nothing to do, every destination has it`)]);
  expect(filesIn(sandbox.path)).toEqual(before);
});

it("verifies in full where the identity is there, and not at all where that is not wished", async () => {
  const id = await partialRun("two", "three");
  sandbox.job.destinations = (sandbox.job.destinations as object[]).slice(0, 2);
  const unverified = printed(await sandbox.run("backup", "--retry", id, "--no-verify", "--json")) as RetryReport;
  expect(unverified.destinations[1]?.copy).not.toHaveProperty("verification");
  expect(await stateOf()).toEqual([["verified"], ["unverified"]]);
  // What was stored and not read back is read back now.
  sandbox.environment.AGE_IDENTITY = identity;
  sandbox.job.encryption = { recipients: [recipient], identity: { env: "AGE_IDENTITY" } };
  expect(await retry(id)).toMatchObject({
    destinations: [
      { status: "present" },
      { status: "copied", copy: { copied: 0, verification: { outcome: "verified" } } },
    ],
  });
  expect(await stateOf()).toEqual([["verified"], ["verified"]]);
});

it("tells of a destination that still fails, and monitors hear of it, but no schedule does", async () => {
  const ingest = new SentryIngest("public");
  await ingest.start();
  try {
    const id = await partialRun("two", "three");
    block("three");
    sandbox.job.schedule = { cron: "0 3 * * *" };
    sandbox.job.monitor = [{ kind: "sentry", dsn: { env: "DSN" } }];
    sandbox.environment.DSN = ingest.dsn;
    expect(await retry(id, 3)).toMatchObject({
      status: "partial",
      destinations: [{ status: "present" }, { status: "copied" }, { status: "failed", errors: [{ code: "CONFIG" }] }],
    });
    expect(ingest.events).toMatchObject([{ tags: { step: "copy", destination: `filesystem ${place("three")}` } }]);
    expect(ingest.checkIns).toEqual([]);
  } finally {
    await ingest.stop();
  }
});

it("takes another source where one turns out damaged, and refuses where none is left", async () => {
  const id = await partialRun("three");
  flipBit(join(place("one"), "test/app", id, "database.dump.zst.age"));
  expect(await retry(id)).toMatchObject({
    destinations: [{ status: "present" }, { status: "present" }, { copy: { from: `filesystem ${place("two")}` } }],
  });
  rmSync(join(place("three"), "test"), { recursive: true });
  flipBit(join(place("two"), "test/app", id, "database.dump.zst.age"));
  const failed = await retry(id, 5);
  expect(failed.destinations[2]).toMatchObject({
    status: "failed",
    errors: [{ code: "INTEGRITY" }, { code: "INTEGRITY" }],
  });
  expect(await stateOf()).toEqual([["verified"], ["verified"], []]);
});

it("is what a partial run tells a person to do", async () => {
  block("two");
  const { code, stdout } = await sandbox.run("backup");
  const [, id = ""] = /^backup (\S+): partial/.exec(stdout) ?? [];
  expect([code, stdout]).toEqual([3, expect.stringContaining(`works again: provision backup --retry ${id}\n`)]);
});

it("refuses an id that no destination has", async () => {
  await partialRun("two");
  const { code, stderr } = await sandbox.run("backup", "--retry", "20260102T030405Z-1a2b3c");
  expect([code, stderr]).toEqual([2, expect.stringMatching(/No destination has a sound backup[\s\S]*provision list/)]);
});
