/** A run is suspended, another run takes its lease over, and then the first one wakes. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ProviderError } from "../../providers/errors.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { BackupReport } from "../../runner/operations/backup/report.ts";
import { Lease } from "../../runner/backups/lease.ts";
import { prune } from "../../runner/operations/prune.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { emptyDatabase } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { failureOf } from "../helpers/failure.ts";
import { fillLease, leaseNumbers, QUICK } from "../helpers/leases.ts";
import { hasClocks, waiting, withClock } from "../helpers/machines.ts";
import { backupFolder, foldersOf, printed } from "../helpers/reports.ts";
import { Sandbox } from "../helpers/sandbox.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { fill, keysIn, openStore } from "../helpers/store.ts";

const job = { stack: "prod", name: "app" };
const { signal } = new AbortController();

describe.runIf(hasClocks)("the real runner on two machines", () => {
  let servers: [Postgres, Postgres];
  const sandboxes: Sandbox[] = [];
  beforeAll(async () => {
    servers = await Promise.all([startPostgres(), startPostgres()]);
  });
  afterAll(async () => {
    for (const sandbox of sandboxes) sandbox.remove();
    await Promise.all(servers.map((server) => server.stop()));
  });

  it(
    "a suspended run that wakes neither commits nor prunes away what the other, whose clock is behind, is making",
    { timeout: 400_000 },
    async () => {
      const here = new Sandbox(await emptyDatabase(servers[0], "suspended"), { retention: { last: 1 } });
      const there = withClock(new Sandbox(await emptyDatabase(servers[1], "working")), "-5m");
      there.job.destinations = here.job.destinations;
      sandboxes.push(here, there);
      const suspended = await waiting(here, servers[0].binDirectory);
      suspended.child.kill("SIGSTOP");
      // It watches the lease for three minutes, and then stores its archive.
      const working = await waiting(there, servers[1].binDirectory, "pg_dumpall");
      const [its = ""] = foldersOf(here);
      expect(existsSync(join(backupFolder(here, its), "database.dump.zst"))).toBe(true);
      suspended.goOn();
      suspended.child.kill("SIGCONT");
      const woken = await suspended.ended;
      expect([woken.code, woken.stderr]).toEqual([
        4,
        expect.stringContaining("This run has lost the lease of test/app in filesystem"),
      ]);
      expect(woken.stderr).toContain("another run has taken it over, on the host");
      expect(existsSync(join(backupFolder(here, its), "database.dump.zst"))).toBe(true);
      working.goOn();
      const { id, destinations } = printed(await working.ended) as BackupReport;
      expect(id).toBe(its);
      expect(destinations).toMatchObject([{ stored: true, verification: { outcome: "verified" }, errors: [] }]);
      // Of the run that woke there is no backup.
      const whole = foldersOf(here).filter((each) => existsSync(join(backupFolder(here, each), "manifest.json")));
      expect(whole).toEqual([its]);
    },
  );
});

describe("a lease", () => {
  let folder: TemporaryFolder;
  let storage: StorageProvider;
  let warnings: string[];
  beforeEach(async () => {
    folder = new TemporaryFolder();
    storage = await openStore(folder.path);
    warnings = [];
  });
  afterEach(() => {
    vi.useRealTimers();
    folder.remove();
  });
  const take = (changes: { storage?: StorageProvider } = {}, times = QUICK) =>
    Lease.take(
      {
        ...{ storage, job, owner: "own", startedAt: new Date(), lockedIn: undefined, mayRemove: true, signal },
        warn: (message) => warnings.push(message),
        ...changes,
      },
      times,
    ) as Promise<Lease>;
  /** Renewals only where a test asks for one. */
  const SLOW = { ...QUICK, renewMs: 60_000, deadMs: 180_000 };

  it("whose new holder has ended, and removed all objects, is lost: a warning says so, and nothing is confirmed", async () => {
    const lease = await take();
    await storage.remove(await keysIn(storage));
    await eventually(() => {
      expect(warnings).toEqual([
        expect.stringMatching(/^This run has lost the lease .*another run has taken it over, and has ended since/),
      ]);
    });
    expect(await failureOf(lease.confirm())).toMatchObject({
      code: "CONFLICT",
      fix: expect.stringContaining("Run it again") as string,
    });
    await lease.end();
    expect(await keysIn(storage)).toEqual([]);
  });

  it("whose new holder has renewed more than five times, and removed what is old, is lost: a warning names the holder", async () => {
    const lease = await take({}, SLOW);
    await storage.remove(await keysIn(storage));
    for (const number of [4, 5, 6, 7, 8]) await fillLease(storage, job, number, { host: "the other" });
    expect(await failureOf(lease.confirm())).toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining('on the host "the other"') as string,
    });
    expect(warnings).toHaveLength(1);
    await lease.end();
    expect(await leaseNumbers(storage, job)).toHaveLength(5);
  });

  it("of a process that stood still longer than it lives is lost, although no other run was there", async () => {
    const lease = await take({}, SLOW);
    expect((await lease.confirm()).aborted).toBe(false);
    expect(await leaseNumbers(storage, job)).toHaveLength(2);
    // The clock that goes on while a machine sleeps.
    vi.useFakeTimers({ now: Date.now() + SLOW.deadMs + 1000, toFake: ["Date"] });
    expect(lease.lost.aborted).toBe(true);
    expect(await failureOf(lease.confirm())).toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("stood still") as string,
    });
    await lease.end();
    expect(await keysIn(storage)).toEqual([]);
  });

  it("that could not be renewed while the store was away is confirmed afterwards, if no other run has taken it", async () => {
    let away = false;
    const flaky = new Proxy(storage, {
      get: (target, name) => {
        const own: unknown = Reflect.get(target, name);
        if (typeof own !== "function") return own;
        if (away && name === "upload") return () => Promise.reject(new ProviderError("TRANSIENT", "Nobody answers."));
        return own.bind(target) as unknown;
      },
    });
    const times = { ...QUICK, renewMs: 50, deadMs: 1_000, pollMs: 20 };
    const lease = await take({ storage: flaky }, times);
    away = true;
    await sleep(1.5 * times.deadMs);
    const confirmed = lease.confirm();
    away = false;
    expect((await confirmed).aborted).toBe(false);
    away = true;
    const begun = performance.now();
    expect(await failureOf(lease.confirm())).toMatchObject({ code: "TRANSIENT" });
    expect(performance.now() - begun).toBeLessThan(20 * times.deadMs);
    expect(warnings).toEqual([]);
    away = false;
    await lease.end();
  });
});

describe("prune of a run", () => {
  let folder: TemporaryFolder;
  let storage: StorageProvider;
  const ID = "20260101T000000Z-abcdef";
  beforeEach(async () => {
    folder = new TemporaryFolder();
    storage = await openStore(folder.path);
  });
  afterEach(() => {
    folder.remove();
  });
  const options = () => ({
    storage,
    job,
    signal,
    rule: undefined,
    unfinishedBefore: new Date(),
    copiesBefore: new Date(0),
    dryRun: false,
  });

  it("leaves what was stored since the run has the lease, however old the other machine's clock made its id", async () => {
    const since = new Date();
    const confirm = () => Promise.resolve(signal);
    await sleep(20);
    await fill(storage, [`prod/app/${ID}/database.dump.zst`]);
    const report = await prune({ ...options(), unfinishedBefore: since, confirm });
    expect([report.unfinished, await keysIn(storage)]).toEqual([[], [`prod/app/${ID}/database.dump.zst`]]);
    await sleep(20);
    expect((await prune({ ...options(), confirm })).unfinished).toEqual([ID]);
  });

  it("removes nothing where the lease cannot be confirmed after the listing", async () => {
    await fill(storage, [`prod/app/${ID}/database.dump.zst`]);
    const confirm = () => Promise.reject(new ProviderError("CONFLICT", "It is lost."));
    expect(await failureOf(prune({ ...options(), confirm }))).toMatchObject({ message: "It is lost." });
    expect(await keysIn(storage)).toHaveLength(1);
  });
});
