import { hostname } from "node:os";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { stopwatch } from "../../providers/clock.ts";
import { abortedError, LockHeldError, ProviderError, toProviderError } from "../../providers/errors.ts";
import { jobFolder, leaseFolder, leaseKey, leaseNumber } from "../../providers/layout.ts";
import { counted } from "../../providers/fields/sizes.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { JobName } from "./catalogue/backup-folder.ts";
import { seal } from "./documents/sealed-json.ts";
import {
  describeHolder,
  isProvenLease,
  leaseIn,
  readLease,
  type LeaseDocument,
  type ShownLease,
} from "./lease-objects.ts";
import { PROGRAM } from "../version.ts";

/** How a lease goes by time, in milliseconds. */
export interface LeaseTimes {
  /** From one renewal to the next. */
  readonly renewMs: number;
  /** A lease of another run is dead once it was not renewed while it was watched for so long. */
  readonly deadMs: number;
  /** From one look at another run's lease to the next. */
  readonly pollMs: number;
  /** What a request may take while the run waits for it. */
  readonly requestMs: number;
  /** What a request may take at the end of a run, which may have been aborted. */
  readonly endMs: number;
  /** Where a store may let two writers of one key succeed: until what it has of them is final. */
  readonly settleMs: number;
}

/** Those of every run. */
export const LEASE_TIMES: LeaseTimes = {
  renewMs: 60_000,
  deadMs: 180_000,
  pollMs: 5_000,
  requestMs: 30_000,
  endMs: 5_000,
  settleMs: 1_000,
};

/**
 * Numbers that stay when older ones are removed. A run that has listed them and not claimed the next one yet must not find that number
 * free again: as its two requests are limited, that would take five runs or renewals of others in a minute.
 */
const KEPT = 5;

const STOOD_STILL = "this process or its machine stood still for longer than a lease lives, or its clock was set";

/** Which lease a run takes. */
export interface LeaseOptions {
  readonly storage: StorageProvider;
  readonly job: JobName;
  /** The run's own id. */
  readonly owner: string;
  readonly startedAt: Date;
  /** Names what has the lock that the run holds; see `DatabaseBackup`. */
  readonly lockedIn: string | undefined;
  /** Whether the run may remove objects. One that may not leaves them to `provision prune`. */
  readonly mayRemove: boolean;
  readonly signal: AbortSignal;
  /** Called with what a person should know: that another run's lease is watched, or that the own one was lost. */
  readonly warn: (message: string) => void;
}

/**
 * Keeps runs of one job apart that share a store and not the lock in a database: after a failover, or with two URLs.
 *
 * Objects are created and never replaced, so a lease is a row of numbered objects. Who creates the next number has the lease, and a
 * renewal creates the next one again: of several that want a number the store lets one succeed. At its end the run removes them, or adds
 * one that says that it has ended. Whether a lease is alive is never judged by a clock: a run that finds one watches whether it is renewed.
 */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #times: LeaseTimes;
  /** All that the run has seen or made, the oldest first. */
  #keys: string[] = [];
  #newest = 0;
  /** When the store got the first one, by the store's clock. */
  #since = new Date(0);
  /** Whether another run has taken the lease over. */
  #taken = false;
  /** Aborted, with what to tell, once this run may not commit or prune in the store any more. */
  readonly #lost = new AbortController();
  /** Measures since the run last tried to renew it. */
  #still = stopwatch();
  #timer: NodeJS.Timeout | undefined;
  #renewal: Promise<ProviderError | undefined> | undefined;
  readonly #ending = new AbortController();

  private constructor(options: LeaseOptions, times: LeaseTimes) {
    this.#options = options;
    this.#times = times;
  }

  /**
   * Takes a job's lease in a store, and renews it until {@link end}. Where another run has it, this waits to see whether that one still
   * renews it: for {@link LeaseTimes.deadMs} at most, or not at all where this run holds the lock that the other one held.
   *
   * @returns undefined where this very run has it already: the store is another name of one that it has taken a lease in
   * @throws LockHeldError where another run has it; any other ProviderError where the store does not answer or refuses
   */
  static async take(options: LeaseOptions, times = LEASE_TIMES): Promise<Lease | undefined> {
    const lease = new Lease(options, times);
    try {
      return (await lease.#take()) ? lease : undefined;
    } catch (error) {
      // It was claimed, and then the run was aborted. Where another run has the lease, that one's claim stands there.
      if (lease.#newest > 0 && !(error instanceof LockHeldError)) await lease.end();
      throw error;
    }
  }

  /** When the store got the lease's first object, by the store's clock: what it got before is of runs that are over. */
  get since(): Date {
    return this.#since;
  }

  /** Aborted, with the error to tell, once the run has lost the lease or stood still for longer than one lives. */
  get lost(): AbortSignal {
    if (this.#still() > this.#times.deadMs) this.#lose(STOOD_STILL);
    return this.#lost.signal;
  }

  /**
   * Renews the lease now: no other run can begin in the store for {@link LeaseTimes.deadMs}. A store that fails is asked again for as long.
   *
   * @returns a signal that is aborted before the lease may be dead, and once it is lost
   * @throws ProviderError `CONFLICT` where it is lost, naming the run that has it; else what the store says to the last try
   */
  async confirm(): Promise<AbortSignal> {
    const { deadMs, renewMs, pollMs } = this.#times;
    const elapsed = stopwatch();
    for (;;) {
      await this.#renewal;
      const begun = stopwatch();
      const failed = await this.#renewOnce();
      if (this.lost.aborted) throw abortedError(this.lost);
      if (failed === undefined) {
        return AbortSignal.any([this.lost, AbortSignal.timeout(Math.max(Math.floor(deadMs - renewMs - begun()), 0))]);
      }
      if (elapsed() >= deadMs) throw failed;
      await wait(pollMs, this.#options.signal);
    }
  }

  /** Gives the lease back. Never throws: one that stays is taken over like that of a killed run. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    this.#ending.abort();
    await this.#renewal;
    if (this.#taken) return;
    const { storage, job, mayRemove } = this.#options;
    if (mayRemove && (await this.#remove(this.#keys, AbortSignal.timeout(this.#times.endMs)))) return;
    const key = leaseKey(job, this.#newest, true);
    const document = Readable.from([Buffer.from(seal({ format: 1, owner: this.#options.owner, key }, job.keys))]);
    const signal = AbortSignal.timeout(this.#times.endMs);
    await storage.upload(key, document, { signal }).catch(() => undefined);
  }

  async #take(): Promise<boolean> {
    const { owner, signal } = this.#options;
    let shown = await this.#look();
    const unsigned = shown.keys.filter((key) => (leaseNumber(key)?.number ?? 0) > shown.newest).length;
    if (unsigned > 0) {
      this.#options.warn(
        `In ${this.#options.storage.description}, ${counted(unsigned, "object")} of the lease in ${leaseFolder(this.#options.job)} have no ` +
          "signature of the job's keys and count for nothing: they are forged, or of a runner of an earlier version.",
      );
    }
    if (shown.held) {
      const holder = await this.#read(shown.newest);
      if (holder?.owner === owner) return false;
      shown = await this.#outlast(shown, holder);
    }
    this.#keys = [...shown.keys];
    const number = shown.newest + 1;
    if (leaseNumber(leaseKey(this.#options.job, number)) === undefined) {
      throw new ProviderError("CONFLICT", `${shown.keys.at(-1) ?? ""} has the last number that a lease can have.`, {
        fix: `Remove the folder ${leaseFolder(this.#options.job)} while no run is going.`,
      });
    }
    const other = await this.#create(number, this.#limited(signal));
    if (other !== undefined) throw this.#heldBy(other.document);
    this.#still = stopwatch();
    this.#timer = setInterval(() => {
      void this.#renewOnce();
    }, this.#times.renewMs).unref();
    return true;
  }

  /** Watches another run's lease until it has ended or is dead, and gives what is there then. */
  async #outlast(shown: ShownLease, holder: LeaseDocument | undefined): Promise<ShownLease> {
    const { lockedIn, storage, job, signal, warn } = this.#options;
    // That run held the lock that this one holds: it has ended, and was killed before it could say so.
    if (lockedIn !== undefined && holder?.lockedIn === lockedIn) return shown;
    const { deadMs, pollMs } = this.#times;
    warn(
      `A run of ${jobFolder(job)} has a lease in ${storage.description}${holder === undefined ? "" : `: ${describeHolder(holder)}`}. ` +
        `This run waits up to ${deadMs / 1000} s to see whether it is still going.`,
    );
    const beginning = performance.now();
    for (;;) {
      await wait(pollMs, signal);
      const now = await this.#look();
      if (!now.held) return now;
      if (now.newest !== shown.newest) throw this.#heldBy(await this.#read(now.newest));
      if (performance.now() - beginning >= deadMs) return now;
    }
  }

  #renewOnce(): Promise<ProviderError | undefined> {
    this.#renewal ??= this.#renew().finally(() => (this.#renewal = undefined));
    return this.#renewal;
  }

  /** Renews the lease, unless it is lost. Gives what failed, which is tried again at the next time: that alone harms no backup. */
  async #renew(): Promise<ProviderError | undefined> {
    const { signal, mayRemove, storage, job } = this.#options;
    if (this.#lost.signal.aborted || signal.aborted) return undefined;
    const stood = this.#still() > this.#times.deadMs;
    this.#still = stopwatch();
    let failed: ProviderError | undefined;
    try {
      const limit = this.#limited(AbortSignal.any([signal, this.#ending.signal]));
      const { newest, held } = await leaseIn(storage, job, limit);
      // A run that takes it over has higher numbers, and removes these with its own. A listing may lag behind.
      const gone = newest < this.#newest && (await this.#read(this.#newest)) === undefined;
      if (gone || newest > this.#newest) this.#loseTo(held ? await this.#read(newest) : undefined);
      else if (!stood) {
        const other = await this.#create(this.#newest + 1, limit);
        if (other !== undefined) this.#loseTo(other.document);
        else if (mayRemove && this.#keys.length > KEPT) {
          const old = this.#keys.slice(0, -KEPT);
          if (await this.#remove(old, this.#limited(this.#ending.signal))) this.#keys = this.#keys.slice(-KEPT);
        }
      }
    } catch (error) {
      failed = toProviderError(error);
    }
    if (stood) this.#lose(STOOD_STILL);
    return failed;
  }

  #loseTo(holder: LeaseDocument | undefined): void {
    this.#taken = true;
    this.#lose(
      `another run has taken it over, ${holder === undefined ? "and has ended since or does not say which it is" : describeHolder(holder)}`,
    );
  }

  #lose(why: string): void {
    if (this.#lost.signal.aborted) return;
    const where = `This run has lost the lease of ${jobFolder(this.#options.job)} in ${this.#options.storage.description}`;
    const error = new ProviderError("CONFLICT", `${where}: ${why}. It neither commits nor prunes there any more.`, {
      fix: "Run it again when no other run is going. Start the job by one scheduler, and let nothing suspend its machine.",
    });
    this.#lost.abort(error);
    this.#options.warn(error.message);
  }

  /**
   * Creates the object with a number.
   *
   * @returns undefined where it is this run's, else what the other run's says, if that can be read
   */
  async #create(number: number, signal: AbortSignal): Promise<{ document: LeaseDocument | undefined } | undefined> {
    const { storage, job, owner, startedAt, lockedIn } = this.#options;
    const document: LeaseDocument = {
      format: 1,
      owner,
      host: hostname().slice(0, 255),
      program: PROGRAM,
      startedAt: startedAt.toISOString(),
      validUntil: new Date(Date.now() + this.#times.deadMs).toISOString(),
      ...(lockedIn !== undefined && { lockedIn }),
    };
    const key = leaseKey(job, number);
    const bytes = Buffer.from(seal({ ...document, key }, job.keys));
    try {
      const { modified } = await storage.upload(key, Readable.from([bytes]), { signal, sizeEstimate: bytes.length });
      if (this.#newest === 0) this.#since = modified;
    } catch (error) {
      if (!(error instanceof ProviderError && error.code === "CONFLICT")) throw error;
      // Something else may be in the way, such as a file in the place of a folder.
      const exists = await storage.stat(key, { signal }).then(
        () => true,
        () => false,
      );
      if (!exists) throw error;
      const found = await this.#read(number);
      // The answer to a request that took effect was lost.
      if (found?.owner !== owner) {
        // Another writer of the store may put anything under the next number.
        const isForged = !(await isProvenLease(storage, job, key, signal));
        return isForged ? await this.#create(number + 1, signal) : { document: found };
      }
    }
    this.#newest = number;
    this.#keys.push(key);
    if (storage.refusesToOverwrite !== false) return undefined;
    await wait(this.#times.settleMs, signal);
    const stays = await this.#read(number);
    return stays?.owner === owner ? undefined : { document: stays };
  }

  async #look(): Promise<ShownLease> {
    const { storage, job, signal } = this.#options;
    return leaseIn(storage, job, this.#limited(signal));
  }

  /** What the object with a number says; undefined where it cannot be read, or says nothing that is known. */
  async #read(number: number): Promise<LeaseDocument | undefined> {
    const { storage, job, signal } = this.#options;
    try {
      return await readLease(storage, job, number, this.#limited(signal));
    } catch {
      if (signal.aborted) throw abortedError(signal);
      return undefined;
    }
  }

  async #remove(keys: readonly string[], signal: AbortSignal): Promise<boolean> {
    try {
      await this.#options.storage.remove(keys, { signal });
      return true;
    } catch {
      return false;
    }
  }

  #heldBy(holder: LeaseDocument | undefined): LockHeldError {
    const { storage, job } = this.#options;
    return new LockHeldError(jobFolder(job), holder && describeHolder(holder), {
      what: `its lease in ${storage.description}`,
      fix:
        "Wait for that run to end. If two schedulers or two servers run this job, stop one of them. A lease that is not renewed any " +
        `more, of a run that was killed, is taken over after ${this.#times.deadMs / 1000} s.`,
    });
  }

  #limited(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, AbortSignal.timeout(this.#times.requestMs)]);
  }
}

/**
 * Removes what runs that may not remove have left of a job's leases, but for the newest.
 *
 * @throws ProviderError what the store says to the listing; what it does not remove is left for the next time
 */
export async function sweepLeases(storage: StorageProvider, job: JobName, signal: AbortSignal): Promise<void> {
  const { keys, newest } = await leaseIn(storage, job, signal);
  const old = keys.filter((key) => (leaseNumber(key)?.number ?? newest) <= newest - KEPT);
  if (old.length === 0) return;
  try {
    await storage.remove(old, { signal });
  } catch {
    // Object Lock, for instance, keeps them for a time.
    if (signal.aborted) throw abortedError(signal);
  }
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw abortedError(signal);
  }
}
