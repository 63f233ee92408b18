import { utimesSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Check } from "../../../../providers/database/database.ts";
import { type ErrorCode, ObjectLockedError, ProviderError } from "../../../../providers/errors.ts";
import { StorageConfig } from "../../../../providers/storage/index.ts";
import type { StorageProvider } from "../../../../providers/storage/storage.ts";
import { checkDestination } from "../../../../runner/operations/doctor/check-destination.ts";
import { DESTINATION_CHECKS } from "../../../helpers/destinations.ts";
import { fillLease } from "../../../helpers/leases.ts";
import { documentFor, fillBackup } from "../../../helpers/sample-records.ts";
import { TemporaryFolder } from "../../../helpers/script.ts";
import { fill, filesIn, keysIn, openStore } from "../../../helpers/store.ts";

/** Doctor's waits between two listings add up to 18 s; here each is a hundredth. Other files of tests may get the same modules. */
const waits = vi.hoisted(() => ({ divisor: 1 }));
vi.mock("node:timers/promises", async (importOriginal) => {
  const original = await importOriginal<typeof import("node:timers/promises")>();
  const setTimeout: typeof original.setTimeout = (ms, value, options) =>
    original.setTimeout((ms ?? 0) / waits.divisor, value, options);
  return { ...original, setTimeout };
});

let folder: TemporaryFolder;
let storage: StorageProvider;
beforeEach(async () => {
  waits.divisor = 100;
  folder = new TemporaryFolder();
  storage = await openStore(folder.path);
});
afterEach(async () => {
  waits.divisor = 1;
  vi.restoreAllMocks();
  vi.useRealTimers();
  await storage.close();
  folder.remove();
});

const job = { stack: "prod", name: "app" };
const never = new AbortController().signal;

/** What doctor finds, of a store with some settings of S3. */
async function examine(settings: object = {}) {
  const config = StorageConfig.parse({ kind: "s3", bucket: "backups", ...settings });
  const checks: Record<string, Omit<Check, "name">> = {};
  for await (const { name, ...check } of checkDestination("store", storage, config, job, undefined, never)) {
    checks[name.slice("store: ".length)] = check;
  }
  return checks;
}

it("writes, reads, lists and removes an object, and leaves nothing", async () => {
  const checks = await examine();
  expect(Object.keys(checks)).toEqual(DESTINATION_CHECKS);
  expect(Object.values(checks).every(({ ok }) => ok)).toBe(true);
  expect(checks.lease?.detail).toBe("no run has it");
  expect(filesIn(folder.path)).toEqual([]);
});

it("fails where a backup is from the future, and names a record that counts for nothing", async () => {
  const ahead = new Date(Date.now() + 3_600_000).toISOString().replace(/[-:]|\.\d+/g, "");
  await fillBackup(storage, `prod/app/${ahead}-abcdef`, ["manifest.json"]);
  await fill(storage, [`prod/app/${ahead}-abcdef/verified-20260101T000000Z.json`], "");
  const { times, records } = await examine();
  expect(times).toMatchObject({ ok: false, fix: expect.stringContaining("NTP") as string });
  expect(times?.detail).toMatch(new RegExp(`^prod/app/${ahead}-abcdef is from the future: its time is (59 min|1 h)`));
  expect(records?.detail).toContain(`prod/app/${ahead}-abcdef/verified-20260101T000000Z.json`);
  expect(records?.fix).toBe("Remove it, and verify the backup again.");
});

it("says that a backup of a newer version is to be left as it is, and does not say to remove it", async () => {
  const id = "20260101T000000Z-abcdef";
  await fill(storage, [`prod/app/${id}/manifest.json`], documentFor(id, "manifest.json", { format: 3 }));
  expect((await examine()).records).toEqual({
    ok: true,
    detail: `prod/app/${id}/manifest.json is whole, but this version of Provision does not know its format.`,
    fix: expect.stringMatching(/^Leave it as it is, and use the version of Provision that wrote it/) as string,
  });
});

const codes: ErrorCode[] = ["CONFIG", "AUTH", "NOT_FOUND", "CONFLICT", "QUOTA", "RATE_LIMITED", "TRANSIENT"];
it.each([...codes, "INTEGRITY", "ABORTED", "INTERNAL"] as const)(
  "looks for nothing after a write that fails with %s, and says what to do",
  async (code) => {
    vi.spyOn(storage, "upload").mockRejectedValue(new ProviderError(code, "It does not work."));
    const others = [vi.spyOn(storage, "download"), vi.spyOn(storage, "list"), vi.spyOn(storage, "remove")];
    expect(await examine()).toEqual({
      write: { ok: false, detail: "It does not work.", fix: expect.stringMatching(/^[A-Z].{20,}\.$/) as string },
    });
    for (const other of others) expect(other).not.toHaveBeenCalled();
  },
);

it("goes on to remove what could not be read", async () => {
  vi.spyOn(storage, "download").mockResolvedValue(Readable.from([Buffer.alloc(1024)]));
  const { read, remove } = await examine();
  expect(read).toMatchObject({ ok: false, detail: "What was read is not what was written." });
  expect(read?.fix).toContain("proxy");
  expect(remove).toMatchObject({ ok: true });
  expect(filesIn(folder.path)).toEqual([]);
});

it("asks a listing again that shows what is new late, and not for ever", async () => {
  const list = storage.list.bind(storage);
  const late = (times: number) => {
    let asked = 0;
    return vi.spyOn(storage, "list").mockImplementation((...args) => {
      asked += 1;
      return asked > times ? list(...args) : list("nowhere");
    });
  };
  const twice = late(2);
  expect((await examine()).list).toEqual({ ok: true, detail: "it was listed" });
  twice.mockRestore();
  late(Infinity);
  const checks = await examine();
  expect(checks.list).toMatchObject({ ok: false, detail: "The listing does not show the object." });
  expect(checks.list?.fix).toContain("may list this folder");
});

describe("a lease", () => {
  const LEASE = "prod/app/lease/0000000003.json";
  const holder = 'a run on the host "db1" has it, since 2036-01-01T00:00:00Z by that host\'s clock';
  const ageBy = (hours: number) => {
    const then = new Date(Date.now() - hours * 3_600_000);
    utimesSync(join(folder.path, LEASE), then, then);
  };

  it.each([0, -87_600, 87_600])(
    "that a run renews is shown, whatever the clock of its host and of this machine, which is %s h off",
    async (hours) => {
      await fillLease(storage, job, 3, { host: "db1", startedAt: "2036-01-01T00:00:00Z" });
      vi.useFakeTimers({ now: Date.now() + hours * 3_600_000, toFake: ["Date"] });
      const { lease } = await examine();
      expect(lease).toEqual({
        ok: true,
        detail: expect.stringMatching(`^${holder}; it was renewed \\d+ s ago, by the store's clock$`) as string,
      });
    },
  );

  it("that nobody renews is a killed run's, and says what comes of it", async () => {
    await fillLease(storage, job, 3, { host: "db1", startedAt: "2036-01-01T00:00:00Z" });
    ageBy(5);
    const { lease } = await examine();
    expect(lease).toEqual({
      ok: true,
      detail:
        `${holder}; it was not renewed for 5 h, by the store's clock: that run was killed, or does not reach the store. The next run ` +
        "watches it for up to 180 s, and takes it over if it is not renewed",
    });
  });

  it("that has ended is nobody's", async () => {
    await fillLease(storage, job, 3);
    await fill(storage, ["prod/app/lease/0000000003-ended.json"]);
    expect((await examine()).lease).toEqual({ ok: true, detail: "no run has it" });
  });

  it("that is damaged is a run's all the same", async () => {
    await fill(storage, [LEASE], "no JSON");
    const { lease } = await examine();
    expect(lease?.ok).toBe(true);
    expect(lease?.detail).toMatch(
      /^a run has it; which one cannot be read: prod\/app\/lease\/0000000003\.json .*; it was renewed \d+ s ago/,
    );
  });

  it.each(["download", "list"] as const)(
    "that the store does not let be read fails, by %s, and nothing else does",
    async (name) => {
      await fillLease(storage, job, 3);
      const original = storage[name].bind(storage) as (...args: unknown[]) => unknown;
      vi.spyOn(storage, name).mockImplementation(((key: string, ...rest: unknown[]) => {
        if (key.includes("/lease")) throw new ProviderError("AUTH", "It is forbidden.");
        return original(key, ...rest);
      }) as never);
      const checks = await examine();
      expect(checks.lease).toEqual({
        ok: false,
        detail: "It is forbidden.",
        fix: "Check the credentials of this part of the job, and their rights.",
      });
      expect(Object.entries(checks).filter(([, { ok }]) => !ok)).toHaveLength(1);
    },
  );
});

it("notices a store that removes what it should lock", async () => {
  const objectLock = { mode: "governance", days: 3 };
  const { remove } = await examine({ objectLock, removeVersions: true });
  expect(remove).toMatchObject({
    ok: false,
    detail: "It was removed, although objectLock asks for a lock of 3 days.",
    fix: expect.stringContaining("Use a bucket with Object Lock") as string,
  });
  // Without the versions a lock does not show.
  expect((await examine({ objectLock })).remove).toMatchObject({ ok: true });
});

it("removes what earlier ones left, once it is no longer locked, and nothing else", async () => {
  const left = ["prod/app/doctor-00000001/probe", "prod/app/doctor-00000002/probe"];
  const others = [
    "prod/app/doctor-00000003/probe",
    "prod/app/doctor-00000001/other",
    "prod/apps/doctor-00000001/probe",
  ];
  await fill(storage, [...left, ...others]);
  const dayAgo = new Date(Date.now() - 86_400_000);
  for (const key of [...left, ...others.slice(1)]) utimesSync(join(folder.path, key), dayAgo, dayAgo);
  const remove = storage.remove.bind(storage);
  vi.spyOn(storage, "remove").mockImplementation((keys, options) => {
    if (keys.includes(left[0] ?? "")) return Promise.reject(new ObjectLockedError("It is locked."));
    return remove(keys, options);
  });
  expect((await examine()).backups).toMatchObject({ ok: true });
  expect(await keysIn(storage)).toEqual([left[0], ...others].sort());
});
