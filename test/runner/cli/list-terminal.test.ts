import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { newBackupId } from "../../../runner/backups/catalogue/backup-id.ts";
import { fillLease } from "../../helpers/leases.ts";
import { hasProgram } from "../../helpers/programs.ts";
import { fillBackup } from "../../helpers/sample-records.ts";
import { CLI, startProvision } from "../../helpers/sandbox.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { fill, openStore } from "../../helpers/store.ts";
import { atTerminal } from "../../helpers/terminal.ts";

const can = hasProgram("script", "no list is looked at on a terminal");
const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000);

const owner = { stack: "test", name: "app" };
const LEASE = 'lease: a run on the host "db1" has it, since 2026-01-01T00:00:00Z by that host\'s clock';

let folder: TemporaryFolder;
let storage: StorageProvider;
let environment: Record<string, string>;
let id: string;
beforeEach(async () => {
  folder = new TemporaryFolder();
  const store = join(folder.path, "store");
  id = newBackupId(ago(5));
  const drilled = `drilled-${newBackupId(ago(3)).slice(0, 16)}.json`;
  storage = await openStore(store);
  await fillBackup(storage, `test/app/${id}`, ["manifest.json", drilled], { stack: "test" });
  const job = {
    ...{ ...owner, retention: { last: 1 } },
    database: { kind: "postgres", url: { env: "APP_URL" } },
    destinations: [{ kind: "filesystem", path: store }],
  };
  writeFileSync(join(folder.path, "job.json"), JSON.stringify(job));
  environment = { PATH: process.env.PATH ?? "", HOME: folder.path, TMPDIR: folder.path };
});
afterEach(() => {
  folder.remove();
});

const provision = (...args: string[]) => startProvision([...args, "--job", join(folder.path, "job.json")], environment);
const atTerminalOf = (columns: number, args: string) =>
  atTerminal(
    `stty cols ${columns}; ${process.execPath} ${CLI} ${args} --job ${join(folder.path, "job.json")}`,
    environment,
  );

describe.runIf(can)("at a terminal", () => {
  it("a list says how long ago each backup was begun and drilled", async () => {
    await provision("hold", id, "--reason", "audit", "--until", "2099-12-31").ended;
    const { code, text } = await atTerminalOf(120, "list");
    expect(code, text).toBe(0);
    expect(text).toMatch(new RegExp(`^  ${id}  5 hours ago  unverified .* drilled 3 hours ago\r$`, "m"));
    expect(text).toMatch(/held since \d{4}-\d\d-\d\d \(today\) until 2099-12-31 \(in 7\d years\): audit/);
  });

  it("a list fits a narrow terminal: what is widest is shortened, and the id never", async () => {
    const { code, text } = await atTerminalOf(74, "list");
    expect(code, text).toBe(0);
    const row = text.split("\r\n").find((line) => line.startsWith(`  ${id}`));
    expect(row).toMatch(/^ {2}\S+ {2}5 hours ago {2}unverified {2} +[\d.]+ k?B {2}\S.*…$/);
    expect(row?.length).toBe(74);
  });

  it("a list compares the times of a lease with no clock", async () => {
    await fillLease(storage, owner, 2, { host: "db1" });
    const { text } = await atTerminalOf(200, "list");
    expect(text).toContain(`  ${LEASE}\r\n`);
  });

  it("a list as JSON has the exact times alone", async () => {
    const { code, text } = await atTerminalOf(120, "list --json");
    expect(code, text).toBe(0);
    expect(text).not.toContain("ago");
    expect(text).toMatch(/"time": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/);
  });
});

it("a list says which run has the lease in a store", async () => {
  expect((await provision("list").ended).stdout).not.toContain("lease");
  await fillLease(storage, owner, 2, { host: "db1" });
  const { stdout } = await provision("list").ended;
  expect(stdout.split("\n")[1]).toBe(`  ${LEASE}`);
  const [listed] = JSON.parse((await provision("list", "--json").ended).stdout) as [
    { lease: object; backups: object[] },
  ];
  expect(listed.lease).toEqual({
    host: "db1",
    since: "2026-01-01T00:00:00Z",
    renewed: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
  });
  expect(listed.backups).toHaveLength(1);
});

it("a list says that a run has the lease, where it cannot say which", async () => {
  await fill(storage, ["test/app/lease/0000000002.json"], "no JSON");
  const { code, stdout } = await provision("list", "--json").ended;
  const [{ lease }] = JSON.parse(stdout) as [{ lease: object }];
  expect(code).toBe(0);
  expect(lease).toMatchObject({ host: null, since: null, error: { code: "INTEGRITY" } });
  expect((await provision("list").ended).stdout).toMatch(
    /^ {2}lease: a run has it; which one cannot be read: test\/app\/lease/m,
  );
});

it("elsewhere a list has the exact times alone", async () => {
  const { code, stdout } = await provision("list").ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`^  ${id}  unverified .* drilled \\d{4}-\\d\\d-\\d\\d$`, "m"));
});
