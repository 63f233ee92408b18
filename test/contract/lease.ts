import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { LockHeldError } from "../../providers/errors.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import { checkLease } from "../../runner/operations/doctor/check-lease.ts";
import { Lease, sweepLeases, type LeaseOptions } from "../../runner/backups/lease.ts";
import { findLease } from "../../runner/backups/lease-objects.ts";
import { failureOf } from "../helpers/failure.ts";
import { fillLease, leaseNumbers, QUICK } from "../helpers/leases.ts";
import { keysIn } from "../helpers/store.ts";

const job = { stack: "prod", name: "app" };
const { signal } = new AbortController();

/** What every store must do so that of a job's runs one at a time has its lease. */
export function describeLeaseContract(open: () => StorageProvider, exclusive: boolean): void {
  describe("a job's lease", () => {
    const options = (changes: Partial<LeaseOptions> = {}): LeaseOptions => ({
      storage: open(),
      job,
      owner: randomUUID(),
      startedAt: new Date("2026-02-03T04:05:06Z"),
      lockedIn: undefined,
      mayRemove: true,
      signal,
      warn: () => undefined,
      ...changes,
    });

    it("is known to be the store's or not to be", () => {
      expect(exclusive || open().refusesToOverwrite === false).toBe(true);
    });

    it("is one run's alone until that ends, and leaves nothing", async () => {
      const first = await Lease.take(options(), QUICK);
      const error = await failureOf(Lease.take(options(), QUICK));
      expect(error).toBeInstanceOf(LockHeldError);
      expect(error.message).toContain(`on the host ${JSON.stringify(hostname())}, since 2026-02-03T04:05:06.000Z`);
      await first?.end();
      const second = await Lease.take(options(), QUICK);
      expect(second).toBeDefined();
      await second?.end();
      expect(await keysIn(open())).toEqual([]);
    });

    it.each([true, false])(
      "is shown while a run has it, with its age by the store's clock; may remove: %s",
      async (mayRemove) => {
        expect(await findLease(open(), job, signal)).toBeUndefined();
        const lease = await Lease.take(options({ mayRemove }), { ...QUICK, renewMs: 60_000 });
        expect(await findLease(open(), job, signal)).toEqual({
          host: hostname(),
          since: "2026-02-03T04:05:06.000Z",
          renewed: expect.any(Date) as Date,
        });
        const probe = await open().upload("prod/app/doctor-00000000/probe", Readable.from([Buffer.from("x")]));
        expect(await checkLease(open(), job, probe, signal)).toMatch(
          /^a run on the host ".*" has it, since 2026-02-03T04:05:06\.000Z by that host's clock; it was renewed \d+ s ago, by the store's clock$/,
        );
        await lease?.end();
        expect(await checkLease(open(), job, probe, signal)).toBe("no run has it");
      },
    );

    it("goes to one of several runs that begin at the same moment", async () => {
      const taken = await Promise.allSettled(Array.from({ length: 4 }, () => Lease.take(options(), QUICK)));
      const winners = taken.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
      try {
        expect(winners.length).toBeLessThanOrEqual(1);
        // Where the store itself does not decide, each may see another's.
        if (exclusive) expect(winners).toHaveLength(1);
      } finally {
        await Promise.all(winners.map(async (winner) => winner?.end()));
      }
    });

    it.each([
      ["ahead", "2036-01-01T00:00:00Z"],
      ["behind", "2016-01-01T00:00:00Z"],
    ])("of a run that was killed is taken over once it was watched, its clock far %s", async (_, startedAt) => {
      await fillLease(open(), job, 7, { startedAt, validUntil: startedAt });
      const warnings: string[] = [];
      const begun = performance.now();
      const lease = await Lease.take(options({ warn: (message) => warnings.push(message) }), QUICK);
      expect(performance.now() - begun).toBeGreaterThanOrEqual(QUICK.deadMs);
      expect(warnings).toEqual([expect.stringContaining('on the host "gone"')]);
      expect(await leaseNumbers(open(), job)).toContain("0000000008");
      await lease?.end();
      expect(await keysIn(open())).toEqual([]);
    });

    it("of runs that may not remove ends by one more object, and prune leaves the newest", async () => {
      for (let run = 0; run < 7; run += 1) {
        const begun = performance.now();
        const lease = await Lease.take(options({ mayRemove: false }), { ...QUICK, renewMs: 60_000, deadMs: 60_000 });
        await lease?.end();
        expect(performance.now() - begun).toBeLessThan(30_000);
      }
      expect(await leaseNumbers(open(), job)).toHaveLength(14);
      await sweepLeases(open(), job, signal);
      const left = [3, 4, 5, 6, 7].flatMap((number) => [`000000000${number}-ended`, `000000000${number}`]);
      expect((await leaseNumbers(open(), job)).sort()).toEqual(left.sort());
    });
  });
}
