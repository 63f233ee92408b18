import { span } from "../../../providers/clock.ts";
import { ProviderError } from "../../../providers/errors.ts";

/**
 * How far ahead of a clock a time may be, in milliseconds, before it is one of the future. Ten minutes: more than the 5 that
 * Kerberos lets the clocks of two machines differ, and less than the 15 after which S3 refuses a request.
 */
const TOLERATED_MS = 600_000;

/** How many of the times that are wrong a message names. */
const NAMED = 5;

/** Something whose time is still to come: the clock of the machine that wrote it was ahead, or this machine's is behind. */
export interface FromFuture {
  /** Key of a backup's folder or of a record. */
  readonly key: string;
  readonly time: Date;
}

/** What is used of a backup's folder here. */
interface Dated {
  readonly state: string;
  readonly folder: string;
  readonly time: Date;
  readonly records: readonly FromFuture[];
}

/** Whether a time is further ahead of what a clock says than clocks may differ. */
export function isAhead(time: Date, clock: Date): boolean {
  return time.getTime() > clock.getTime() + TOLERATED_MS;
}

/** The backups, and records beside them, whose time is still to come. */
export function fromFuture(backups: readonly Dated[], now = new Date()): FromFuture[] {
  const own = backups.filter(({ state }) => !["unfinished", "foreign", "unproven"].includes(state));
  return own.flatMap(({ folder, time, records }) =>
    [{ key: folder, time }, ...records]
      .filter((each) => isAhead(each.time, now))
      .map(({ key, time }) => ({ key, time })),
  );
}

/** What is wrong with one of them, as a sentence. */
export function describeFuture({ key, time }: FromFuture, now = new Date()): string {
  const ahead = span(time.getTime() - now.getTime());
  return `${key} is from the future: its time is ${ahead} ahead of this machine's clock, which says ${now.toISOString()}.`;
}

/** What is wrong with one of them, and how to fix it. */
export function futureError(found: FromFuture): ProviderError {
  return new ProviderError("CONFLICT", describeFuture(found), { fix: fixFor([found]) });
}

/**
 * Refuses to go by the age of backups while some are from the future.
 *
 * @throws ProviderError `CONFLICT`, which names them.
 */
export function refuseFuture(backups: readonly Dated[]): void {
  const now = new Date();
  const found = fromFuture(backups, now);
  if (found.length === 0) return;
  const shown = found.slice(0, NAMED).map((each) => describeFuture(each, now));
  const rest = found.length > NAMED ? [`So are ${found.length - NAMED} more.`] : [];
  throw new ProviderError("CONFLICT", ["Nothing was pruned.", ...shown, ...rest].join(" "), { fix: fixFor(found) });
}

function fixFor(found: readonly FromFuture[]): string {
  const until = Math.max(...found.map(({ time }) => time.getTime())) - TOLERATED_MS;
  return (
    "Set the clock that is wrong, this machine's or that of the one that wrote it, and keep both right with NTP. Until " +
    `${new Date(until).toISOString()} nothing is pruned, unless you remove what is from the future.`
  );
}
