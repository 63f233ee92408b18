import { afterEach, beforeEach, expect, it } from "vitest";
import { LockHeldError, ProviderError } from "../../../providers/errors.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { listFolders } from "../../../runner/backups/catalogue/catalogue.ts";
import { Lease, type LeaseOptions } from "../../../runner/backups/lease.ts";
import { eventually } from "../../helpers/eventually.ts";
import { failureOf } from "../../helpers/failure.ts";
import { fillLease, leaseNumbers, QUICK } from "../../helpers/leases.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { fill, keysIn, openStore } from "../../helpers/store.ts";

const job = { stack: "prod", name: "app" };
const { signal } = new AbortController();
/** No watching within a test's time. */
const SLOW = { ...QUICK, renewMs: 60_000, deadMs: 60_000 };

let folder: TemporaryFolder;
let storage: StorageProvider;
let warnings: string[];
let calls: string[];
beforeEach(async () => {
  folder = new TemporaryFolder();
  storage = await openStore(folder.path);
  warnings = [];
  calls = [];
});
afterEach(() => {
  folder.remove();
});

/** The store, with some methods in the place of its own; notes what it is asked for. */
function changed(changes: Partial<StorageProvider> = {}): StorageProvider {
  return new Proxy(storage, {
    get(target, name: keyof StorageProvider) {
      if (name in changes) return Reflect.get(changes, name) as unknown;
      const own: unknown = Reflect.get(target, name);
      if (typeof own !== "function") return own;
      return (...args: unknown[]): unknown => {
        calls.push(name);
        return Reflect.apply(own, target, args);
      };
    },
  });
}

function take(changes: Partial<LeaseOptions> = {}, times = SLOW): Promise<Lease | undefined> {
  const warn = (message: string) => warnings.push(message);
  const own = { storage, job, owner: "own", startedAt: new Date(), lockedIn: undefined, mayRemove: true };
  return Lease.take({ ...own, signal, warn, ...changes }, times);
}

const refuse = () => Promise.reject(new ProviderError("AUTH", "Refused."));

it.each([
  [true, ["list", "upload", "remove"], []],
  [false, ["list", "upload", "upload"], ["0000000001-ended", "0000000001"]],
])("takes three requests where nobody has it; may remove: %s", async (mayRemove, expected, left) => {
  const lease = await take({ storage: changed(), mayRemove });
  await lease?.end();
  expect(calls).toEqual(expected);
  expect(await leaseNumbers(storage, job)).toEqual(left);
});

it("of a run that held the same lock is taken over at once: it has ended", async () => {
  await fillLease(storage, job, 3, { lockedIn: "1764288000.123456 shop" });
  const lease = await take({ lockedIn: "1764288000.123456 shop" });
  expect(warnings).toEqual([]);
  expect(await leaseNumbers(storage, job)).toEqual(["0000000003", "0000000004"]);
  await lease?.end();
  expect(await keysIn(storage)).toEqual([]);
});

it.each([
  ["another lock", { lockedIn: "1764288000.123456 shop" }],
  ["none that is known", {}],
])("of a run that held %s is watched", async (_, document) => {
  await fillLease(storage, job, 3, document);
  const stop = new AbortController();
  const lease = take({ lockedIn: "1764288000.999999 shop", signal: stop.signal });
  await eventually(() => {
    expect(warnings).toHaveLength(1);
  });
  stop.abort(new ProviderError("ABORTED", "Interrupted."));
  expect(await failureOf(lease)).toMatchObject({ code: "ABORTED", message: "Interrupted." });
  expect(await leaseNumbers(storage, job)).toEqual(["0000000003"]);
});

it("that nobody can read is another run's", async () => {
  await fill(storage, ["prod/app/lease/0000000002.json"], "no JSON");
  const lease = await take({ lockedIn: "1764288000.123456 shop" }, QUICK);
  expect(warnings).toHaveLength(1);
  expect(await leaseNumbers(storage, job)).toContain("0000000003");
  await lease?.end();
});

it("of the very run, in a store that has two names, is taken once", async () => {
  const lease = await take();
  expect(await take()).toBeUndefined();
  await lease?.end();
  expect(await keysIn(storage)).toEqual([]);
});

it("is renewed while the run goes on, and few of its objects stay", async () => {
  const lease = await take({}, { ...QUICK, renewMs: 20 });
  await eventually(async () => {
    expect((await leaseNumbers(storage, job)).at(-1)?.localeCompare("0000000009")).toBe(1);
  });
  expect((await leaseNumbers(storage, job)).length).toBeLessThanOrEqual(6);
  await lease?.end();
  expect(await keysIn(storage)).toEqual([]);
});

it("that another run has taken over is that run's, and a warning says so", async () => {
  const lease = await take({}, QUICK);
  await fillLease(storage, job, 2, { host: "the other" });
  await eventually(() => {
    expect(warnings).toEqual([
      expect.stringMatching(/^This run has lost the lease .*: another run has taken it over, on the host "the other"/),
    ]);
  });
  await lease?.end();
  expect(await leaseNumbers(storage, job)).toEqual(["0000000001", "0000000002"]);
});

it("whose answer was lost is the run's own", async () => {
  const upload: StorageProvider["upload"] = async (key, source, options) => {
    await storage.upload(key, source, options);
    throw new ProviderError("CONFLICT", "There is such an object already.");
  };
  const lease = await take({ storage: changed({ upload }) });
  expect(lease).toBeDefined();
  await lease?.end();
  expect(await keysIn(storage)).toEqual([]);
});

it("is not taken, and not another run's, where something else is in the way", async () => {
  await fill(storage, ["prod/app/lease"]);
  const error = await failureOf(take());
  expect(error.code).toBe("CONFLICT");
  expect(error).not.toBeInstanceOf(LockHeldError);
});

it("ends by an object where the store does not let it be removed", async () => {
  const lease = await take({ storage: changed({ remove: refuse }) });
  await lease?.end();
  expect(await leaseNumbers(storage, job)).toEqual(["0000000001-ended", "0000000001"]);
  await (await take())?.end();
  expect(warnings).toEqual([]);
  expect(await keysIn(storage)).toEqual([]);
});

it("is no harm where the store fails in the run: its end does not throw", async () => {
  let broken = false;
  const upload: StorageProvider["upload"] = (...args) => {
    if (!broken) return storage.upload(...args);
    args[1].destroy();
    calls.push("upload");
    return refuse();
  };
  const lease = await take({ storage: changed({ upload, remove: refuse }) }, { ...QUICK, renewMs: 20 });
  broken = true;
  await eventually(() => {
    expect(calls.length).toBeGreaterThan(5);
  });
  await lease?.end();
  expect(warnings).toEqual([]);
});

it("of a store that hangs is given up after a time", async () => {
  const list: StorageProvider["list"] = (_prefix, { signal } = {}) => ({
    [Symbol.asyncIterator]: () => ({
      next: () =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener("abort", () => {
            reject(new ProviderError("ABORTED", "It took too long."));
          });
        }),
    }),
  });
  const lease = take({ storage: changed({ list }) }, { ...QUICK, requestMs: 200 });
  expect(await failureOf(lease)).toMatchObject({ message: "It took too long." });
});

it("of a store that lets two writers succeed is the last writer's", async () => {
  const settleMs = 100;
  let storedMs = 0;
  let waitedMs = 0;
  const upload: StorageProvider["upload"] = async (...args) => {
    const stored = await storage.upload(...args);
    storedMs = performance.now();
    return stored;
  };
  // The other writer comes as late as the wait allows, however busy the machine is.
  const download: StorageProvider["download"] = async (key, options) => {
    waitedMs = performance.now() - storedMs;
    await storage.remove([key]);
    await fillLease(storage, job, 1, { host: "the other" });
    return storage.download(key, options);
  };
  const unsafe = changed({ upload, download, refusesToOverwrite: false });
  const error = await failureOf(take({ storage: unsafe }, { ...QUICK, settleMs }));
  expect(error).toBeInstanceOf(LockHeldError);
  expect(error.message).toContain("the other");
  // A timer may ring a millisecond early.
  expect(waitedMs).toBeGreaterThan(settleMs - 2);
  expect(await leaseNumbers(storage, job)).toEqual(["0000000001"]);
});

it("of a run that is aborted before its claim is final is given back", async () => {
  const stop = new AbortController();
  const upload: StorageProvider["upload"] = async (...args) => {
    const stored = await storage.upload(...args);
    stop.abort(new ProviderError("ABORTED", "Interrupted."));
    return stored;
  };
  const options = { storage: changed({ upload, refusesToOverwrite: false }), signal: stop.signal };
  expect(await failureOf(take(options))).toMatchObject({ message: "Interrupted." });
  expect(await keysIn(storage)).toEqual([]);
});

it("has numbers up to a last one, after which a person must tidy up", async () => {
  await fill(storage, ["prod/app/lease/9999999999-ended.json"]);
  const error = await failureOf(take());
  expect(error).not.toBeInstanceOf(LockHeldError);
  expect(error.fix).toContain("prod/app/lease");
});

it("is no backup: those who list backups do not see it", async () => {
  const lease = await take();
  expect(await listFolders(storage, job, signal)).toEqual([]);
  await lease?.end();
});
