import { afterEach, beforeEach, expect, it } from "vitest";
import { LockHeldError, ProviderError } from "../../../../providers/errors.ts";
import type { StorageProvider } from "../../../../providers/storage/storage.ts";
import type { Destination } from "../../../../runner/operations/backup/destination.ts";
import { endLeases, takeLeases } from "../../../../runner/operations/backup/leases.ts";
import type { RunState } from "../../../../runner/operations/backup/state.ts";
import { failureOf } from "../../../helpers/failure.ts";
import { fillLease, leaseNumbers, QUICK } from "../../../helpers/leases.ts";
import { TemporaryFolder } from "../../../helpers/script.ts";
import { keysIn, openStore } from "../../../helpers/store.ts";

const job = { stack: "prod", name: "app" };

let folder: TemporaryFolder;
let stores: StorageProvider[];
let warnings: string[];
beforeEach(async () => {
  folder = new TemporaryFolder();
  stores = await Promise.all(["one", "two"].map((name) => openStore(`${folder.path}/${name}`)));
  warnings = [];
});
afterEach(() => {
  folder.remove();
});

/** What a run to some destinations has of its state when it takes its leases. */
function stateWith(destinations: readonly (StorageProvider | undefined)[], signal = new AbortController().signal) {
  return {
    run: { job, signal },
    choices: { prune: true },
    trace: {
      warn: (message: string) => warnings.push(message),
      step: <T>(_name: string, _about: object, work: () => Promise<T>) => work(),
    },
    launchedMs: Date.now(),
    destinations: destinations.map((storage, index): Destination => ({
      description: storage?.description ?? `destination ${index}`,
      facts: {},
      storage,
      errors: [],
      warnings: [],
      stored: false,
    })),
  } as unknown as RunState;
}

/** A store whose listing fails. */
function broken(storage: StorageProvider, error: ProviderError): StorageProvider {
  const list = () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) });
  return new Proxy(storage, {
    get: (target, name) => (name === "list" ? list : (Reflect.get(target, name) as unknown)),
  });
}

it("a run has a lease in each destination", async () => {
  const leases = await takeLeases(stateWith(stores), undefined, { ...QUICK, renewMs: 60_000 });
  for (const store of stores) expect(await leaseNumbers(store, job)).toEqual(["0000000001"]);
  await endLeases(leases);
  for (const store of stores) expect(await keysIn(store)).toEqual([]);
});

it.each([0, 1])("a run that finds another's lease in destination %i gives back what it has", async (index) => {
  const [one, two] = stores as [StorageProvider, StorageProvider];
  const [theirs, free] = index === 0 ? [one, two] : [two, one];
  const others = await takeLeases(stateWith([undefined, theirs]), undefined, QUICK);
  const error = await failureOf(takeLeases(stateWith(stores), undefined, QUICK));
  expect(error).toBeInstanceOf(LockHeldError);
  expect(error.message).toContain(theirs.description);
  expect(await keysIn(free)).toEqual([]);
  await endLeases(others);
  expect(await keysIn(theirs)).toEqual([]);
});

it("of two runs that begin at the same moment one goes on, in whatever order they name the destinations", async () => {
  const both = await Promise.allSettled([
    takeLeases(stateWith(stores), undefined, QUICK),
    takeLeases(stateWith(stores.toReversed()), undefined, QUICK),
  ]);
  const winners = both.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  expect(winners).toHaveLength(1);
  expect(winners[0]).toHaveLength(2);
  await endLeases(winners.flat());
});

it("a destination that fails is left without one, with a warning, and the run goes on", async () => {
  const [one, two] = stores as [StorageProvider, StorageProvider];
  const away = broken(one, new ProviderError("TRANSIENT", "Nobody answers."));
  const leases = await takeLeases(stateWith([away, two]), undefined, QUICK);
  expect(leases).toHaveLength(1);
  expect(warnings).toEqual([expect.stringMatching(/^No lease could be taken in .*Nobody answers\.$/)]);
  await endLeases(leases);
});

it("a run that is aborted while it waits ends, and gives back what it has", async () => {
  const [one, two] = stores as [StorageProvider, StorageProvider];
  await fillLease(two, job, 1);
  const stop = new AbortController();
  const leases = takeLeases(stateWith(stores, stop.signal), undefined, { ...QUICK, deadMs: 60_000 });
  await expect.poll(() => warnings.length).toBe(1);
  stop.abort(new ProviderError("ABORTED", "Interrupted."));
  expect(await failureOf(leases)).toMatchObject({ message: "Interrupted." });
  expect(await keysIn(one)).toEqual([]);
});
