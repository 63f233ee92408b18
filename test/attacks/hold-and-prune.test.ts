/** A legal team holds backups while the schedule prunes, and two people hold the same backup. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProviderError } from "../../providers/errors.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import { hold, release, type HoldReport } from "../../runner/operations/hold.ts";
import { prune, type PruneReport } from "../../runner/operations/prune.ts";
import { failureOf } from "../helpers/failure.ts";
import { printed, type Listed } from "../helpers/reports.ts";
import { Sandbox } from "../helpers/sandbox.ts";
import { fillBackup } from "../helpers/sample-records.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { fill, keysIn, openStore } from "../helpers/store.ts";
import { newBucket, open as openS3, service } from "../helpers/stores/s3.ts";

const job = { stack: "prod", name: "app" };
const { signal } = new AbortController();
const idOf = (day: number) => `2026010${day}T000000Z-abcdef`;
const HELD = idOf(1);
const MANIFEST = `prod/app/${HELD}/manifest.json`;

/** The store, in which each request waits for the hook before it is made. */
function hooked(storage: StorageProvider, hook: (request: string) => Promise<void>): StorageProvider {
  return new Proxy(storage, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name);
      if (typeof own !== "function") return own;
      const call = (...args: unknown[]): unknown => Reflect.apply(own, target, args);
      if (name === "list") {
        return async function* (...args: unknown[]) {
          await hook("list");
          yield* call(...args) as AsyncIterable<unknown>;
        };
      }
      if (!["upload", "download", "stat", "remove", "setHold"].includes(String(name))) return call;
      return async (...args: unknown[]) => {
        await hook(String(name));
        return call(...args);
      };
    },
  });
}

/** Stops at the request with a number, counted from 0, until it is let go. */
function stopAt(number: number) {
  let count = 0;
  const reached = Promise.withResolvers<undefined>();
  const go = Promise.withResolvers<undefined>();
  const hook = async () => {
    count += 1;
    if (count - 1 !== number) return;
    reached.resolve(undefined);
    await go.promise;
  };
  return {
    hook,
    reached: reached.promise,
    go: () => {
      go.resolve(undefined);
    },
    count: () => count,
  };
}

type Outcome<T> = { readonly value: T } | { readonly error: ProviderError };
const outcomeOf = <T>(work: Promise<T>): Promise<Outcome<T>> =>
  work.then(
    (value) => ({ value }),
    (error: unknown) => {
      if (!(error instanceof ProviderError)) throw error;
      return { error };
    },
  );

const stores = {
  "a folder": async (path: string) => openStore(path),
  "a bucket": async () => openS3(await newBucket()),
};

describe.each(Object.entries(stores))("in %s", (_, openOne) => {
  let folder: TemporaryFolder;
  let storage: StorageProvider;
  beforeEach(async () => {
    folder = new TemporaryFolder();
    storage = await openOne(folder.path);
    await fillAgain();
  });
  afterEach(async () => {
    await storage.close();
    folder.remove();
  });

  async function fillAgain() {
    await storage.remove(await keysIn(storage));
    for (const day of [1, 2]) {
      await fillBackup(storage, `prod/app/${idOf(day)}`, [
        "database.dump.zst",
        "manifest.json",
        "verified-20260201T000000Z.json",
      ]);
    }
  }

  const doPrune = (over = storage): Promise<PruneReport> =>
    prune({
      storage: over,
      job,
      signal,
      rule: { last: 1 },
      unfinishedBefore: new Date(0),
      copiesBefore: new Date(0),
      dryRun: false,
    });
  const doHold = (over = storage, patienceMs = 30_000): Promise<HoldReport> =>
    hold({ storage: over, job, signal, id: HELD, reason: "case 4711", patienceMs });
  const isThere = () =>
    storage.stat(MANIFEST).then(
      () => true,
      () => false,
    );

  /** What the legal team was told must be so. */
  async function expectTruth(held: Outcome<HoldReport>, at: string): Promise<void> {
    const there = await isThere();
    if ("value" in held) expect(there, at).toBe(true);
    else {
      expect(held.error, at).toMatchObject({ code: "NOT_FOUND" });
      expect(there, at).toBe(false);
    }
  }

  it("the legal team's hold comes after prune has listed: the backup stays, and prune says so", async () => {
    let held: Promise<HoldReport> | undefined;
    const over = hooked(storage, async (request) => {
      if (request !== "remove" && request !== "upload") return;
      await (held ??= doHold());
    });
    const report = await doPrune(over);
    expect(await held).toMatchObject({ outcome: "held" });
    expect(await isThere()).toBe(true);
    expect(report.removed).toEqual([]);
    expect(report.keeps).toContainEqual({ id: HELD, reasons: [{ rule: "held", by: ["case 4711"] }], until: undefined });
  });

  it("the legal team's hold comes right before prune removes: it is told that the backup is gone", async () => {
    const recorded = Promise.withResolvers<undefined>();
    let held: Promise<Outcome<HoldReport>> | undefined;
    const holding = hooked(storage, async (request) => {
      // The first request after the record was written.
      if (request === "list" && (await keysIn(storage, `prod/app/${HELD}`)).some((key) => key.includes("/held-"))) {
        recorded.resolve(undefined);
      }
    });
    const over = hooked(storage, async (request) => {
      if (request !== "remove" || held) return;
      held = outcomeOf(doHold(holding)).finally(() => {
        recorded.resolve(undefined);
      });
      await recorded.promise;
    });
    expect((await doPrune(over)).removed).toEqual([HELD]);
    expect(await held).toMatchObject({
      error: { code: "NOT_FOUND", message: expect.stringContaining("was removed") as string },
    });
  });

  it("wherever prune stands when the hold comes, and wherever the hold stands when prune comes, what it says is so", async () => {
    for (let at = 0, last = false; !last; at += 1) {
      await fillAgain();
      const stop = stopAt(at);
      const pruning = doPrune(hooked(storage, stop.hook));
      await Promise.race([stop.reached, pruning]);
      const lists = Promise.withResolvers<undefined>();
      let polls = 0;
      const watching = hooked(storage, (request) => {
        if (request === "list" && (polls += 1) === 3) lists.resolve(undefined);
        return Promise.resolve();
      });
      const held = outcomeOf(doHold(watching));
      // It has ended, or it waits for prune.
      await Promise.race([held, lists.promise]);
      stop.go();
      await pruning;
      await expectTruth(await held, `prune at request ${at}`);
      last = stop.count() <= at;
    }
    for (let at = 0, last = false; !last; at += 1) {
      await fillAgain();
      const stop = stopAt(at);
      const held = outcomeOf(doHold(hooked(storage, stop.hook)));
      await Promise.race([stop.reached, held]);
      await doPrune();
      stop.go();
      await expectTruth(await held, `hold at request ${at}`);
      last = stop.count() <= at;
    }
  }, 300_000);

  it("a prune was killed after its mark: the hold waits a little, counts, and the next prune goes on without the backup", async () => {
    await fill(storage, ["prod/app/lease/prune-20260101T000000Z-abcdef.json"], "{}");
    expect(await doHold(storage, 200)).toMatchObject({ outcome: "held", others: 0 });
    const report = await doPrune();
    expect([report.removed, await isThere()]).toEqual([[], true]);
    expect(await keysIn(storage, "prod/app/lease")).toHaveLength(1);
  });

  it("a writer of the store forges marks of prunes all the time: the hold waits as long as for one, and counts", async () => {
    await fill(storage, ["prod/app/lease/prune-20260101T000000Z-abcdef.json"], "{}");
    let number = 0;
    const over = hooked(storage, async (request) => {
      number += 1;
      if (request === "list") await fill(storage, [`prod/app/lease/prune-forged-${number}.json`], "{}");
    });
    expect(await doHold(over, 200)).toMatchObject({ outcome: "held", others: 0 });
    expect((await doPrune()).removed).toEqual([]);
  });

  it("prune may not write its mark, under the role of an older stack: it prunes, looks again, and says what that means", async () => {
    const refusing = new Proxy(storage, {
      get: (target, name) => {
        if (name === "upload") return () => Promise.reject(new ProviderError("AUTH", "Refused."));
        const own: unknown = Reflect.get(target, name);
        return typeof own === "function" ? (own.bind(target) as unknown) : own;
      },
    });
    const report = await doPrune(refusing);
    expect(report.removed).toEqual([HELD]);
    expect(report.warnings).toEqual([
      expect.stringContaining("A hold that is set while this prunes may come too late"),
    ]);
  });
});

describe("two people hold one backup", () => {
  let sandbox: Sandbox;
  beforeEach(async () => {
    sandbox = new Sandbox("postgres://nobody@127.0.0.1:1/none", { stack: "prod", retention: { last: 1 } });
    const storage = await openStore(sandbox.store);
    for (const day of [1, 2]) {
      await fillBackup(storage, `prod/app/${idOf(day)}`, [
        "database.dump.zst",
        "manifest.json",
        "verified-20260201T000000Z.json",
      ]);
    }
  });
  afterEach(() => {
    sandbox.remove();
  });
  const setHold = async (...args: string[]) => {
    const [report] = printed(await sandbox.run("hold", HELD, "--json", ...args)) as [HoldReport];
    return report.holds[0] ?? "";
  };
  const releaseBy = (...args: string[]) => sandbox.run("release", HELD, "--json", ...args);
  const holdsOf = async () => {
    const [{ backups }] = printed(await sandbox.run("list", HELD, "--json")) as [
      Listed & { backups: { holds?: { id: string; reason: string; until: string | null }[] }[] },
    ];
    return backups[0]?.holds?.map(({ id, reason, until }) => [id, reason, until]) ?? [];
  };

  it("a later one with an end shortens no earlier one without, and nobody's release ends another's", async () => {
    const legal = await setHold("--reason", "case 4711");
    const audit = await setHold("--reason", "audit", "--until", "2099-12-31");
    expect(await holdsOf()).toEqual([
      [legal, "case 4711", null],
      [audit, "audit", "2099-12-31T23:59:59.000Z"],
    ]);
    const kept = printed(await sandbox.run("prune", "--json", "--dry-run")) as PruneReport[];
    expect(kept[0]?.keeps).toContainEqual({ id: HELD, reasons: [{ rule: "held", by: ["case 4711", "audit"] }] });
    const refused = await releaseBy("--reason", "The audit is over");
    expect(refused.code).toBe(2);
    for (const part of [legal, "case 4711", audit, "audit, until 2099-12-31T23:59:59.000Z", "--hold"]) {
      expect(refused.stderr + refused.stdout).toContain(part);
    }
    expect(printed(await releaseBy("--reason", "The audit is over", "--hold", audit))).toMatchObject([
      { holds: [audit], others: 1 },
    ]);
    expect(await holdsOf()).toEqual([[legal, "case 4711", null]]);
    expect((await releaseBy("--reason", "The audit is over", "--hold", audit)).code).toBe(2);
    printed(await sandbox.run("prune", "--json"));
    expect(existsSync(join(sandbox.store, MANIFEST))).toBe(true);
    printed(await releaseBy("--reason", "The case is closed"));
    printed(await sandbox.run("prune", "--json"));
    expect(existsSync(join(sandbox.store, MANIFEST))).toBe(false);
  });

  it("the one with exactly the reason is released, or all", async () => {
    const [one, two] = [await setHold("--reason", "one"), await setHold("--reason", "two")];
    expect(printed(await releaseBy("--reason", "one"))).toMatchObject([{ holds: [one], others: 1 }]);
    await setHold("--reason", "three");
    expect((await holdsOf()).map(([id]) => id)).toContain(two);
    expect(printed(await releaseBy("--reason", "done", "--all"))).toMatchObject([{ others: 0 }]);
    expect(await holdsOf()).toEqual([]);
  });

  it("by an earlier version's records, a release ends all holds that it names as earlier, and no later one", async () => {
    const storage = await openStore(sandbox.store);
    const about = { storage, job, signal, id: HELD };
    for (const reason of ["one", "two"]) await hold({ ...about, reason });
    await release({ ...about, reason: "over", all: true });
    // As that version writes it: without the names of the holds that it ends.
    const [name = ""] = (await keysIn(storage)).filter((key) => key.includes("/released-"));
    const { buffer } = await import("node:stream/consumers");
    expect(String(await buffer(await storage.download(name)))).not.toContain('"ends"');
    expect(await holdsOf()).toEqual([]);
    const three = await setHold("--reason", "three");
    expect(await holdsOf()).toEqual([[three, "three", null]]);
  });

  it("the store's own lock stays while one of them holds", async () => {
    const Bucket = await newBucket({ locks: true });
    const storage = await openS3(Bucket);
    await fillBackup(storage, `prod/app/${HELD}`, ["database.dump.zst", "manifest.json"]);
    const about = { storage, job, signal, id: HELD };
    const status = async () => (await service.client.getObjectLegalHold({ Bucket, Key: MANIFEST })).LegalHold?.Status;
    await hold({ ...about, reason: "one" });
    await hold({ ...about, reason: "two" });
    expect(await release({ ...about, reason: "one" })).toMatchObject({ others: 1, locked: 0 });
    expect(await status()).toBe("ON");
    expect(await release({ ...about, reason: "over" })).toMatchObject({ others: 0, locked: 2 });
    expect(await status()).toBe("OFF");
    expect(await failureOf(release({ ...about, reason: "again" }))).toMatchObject({ code: "NOT_FOUND" });
  });
});
