/** From this difference on, in milliseconds, a clock is said to be wrong. Clocks that NTP keeps right differ by less than 1 s. */
const TOLERATED_MS = 60_000;

/** What a comparison of two clocks found: a sentence, and what to do about it where they differ. */
export interface ClockComparison {
  readonly detail: string;
  readonly fix?: string;
}

/**
 * Compares another clock with this machine's. A difference that the wait for the answer can explain is none.
 *
 * @param which the other clock, in words: `the server's clock`
 * @param said what it said
 * @param asked when it was asked, by this machine's clock in milliseconds since 1970
 * @param answered when its answer was here
 */
export function compareClock(which: string, said: Date, asked: number, answered: number): ClockComparison {
  const ahead = Math.max(said.getTime() - answered, 0) - Math.max(asked - said.getTime(), 0);
  if (!(Math.abs(ahead) > TOLERATED_MS)) return { detail: `${which} and this machine's agree` };
  const detail = `${which} is ${span(Math.abs(ahead))} ${ahead > 0 ? "ahead of" : "behind"} this machine's`;
  return {
    detail,
    fix: `Find out which of the two is wrong (this machine's says ${new Date(answered).toISOString()}), and keep both right with NTP.`,
  };
}

/** A length of time for people, in its two largest units: `2 d 3 h`. */
export function span(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  const shown = parts.slice(Math.max(first, 0), Math.max(first, 0) + 2).filter(([count]) => count > 0);
  return shown.length === 0 ? "0 s" : shown.map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/**
 * Begins to measure. The function gives the milliseconds since then by the clock that went further: one may stand still while the
 * machine sleeps, and the other may be set back.
 */
export function stopwatch(): () => number {
  const [steady, wall] = [performance.now(), Date.now()];
  return () => Math.max(performance.now() - steady, Date.now() - wall);
}
