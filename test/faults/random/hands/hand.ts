import type { Ended, Invocation } from "../invocation.ts";
import type { Judge } from "../oracle/judge.ts";
import type { Broken, StoreState } from "../oracle/promises.ts";
import type { CommandName, Scenario } from "../scenario.ts";
import type { Workplace } from "../servers/workplace.ts";

/** What a hand knows of its run. */
export interface Reach {
  readonly scenario: Scenario;
  readonly place: Workplace;
  readonly judge: Judge;
  /** What the stores hold, as it was judged last. */
  readonly states: () => readonly StoreState[];
}

/** What somebody has done around a command, and what must hold all the same. */
export interface Hand {
  /** What exactly was done, for the report. */
  readonly what: string;
  /** Backups that are not what the runner has made, as `store/backup`. */
  readonly harmed: readonly string[];
  /** Ids of folders that are not the runner's at all. */
  readonly planted?: ReadonlySet<string>;
  /** Acts while the struck command works, and ends by itself. Gives whether there was something to strike. */
  act?(running: Invocation): Promise<boolean>;
  /** Judges a command that has ended while the hand was there. */
  check(command: CommandName, ended: Ended): Promise<Broken[]>;
  /** Takes away what was done. */
  remove(): Promise<void>;
}

/** Numbers that the drawn one is the seed of: the first choices do not decide the later ones. */
export function choicesOf(which: number): { pick: <T>(values: readonly T[]) => T; chance: (share: number) => boolean } {
  let state = which;
  const next = () => {
    state = (state * 7919 + 0.618_033_988_7) % 1;
    return state;
  };
  return {
    pick: <T>(values: readonly T[]): T => {
      const value = values[Math.floor(next() * values.length)];
      if (value === undefined) throw new RangeError("there is nothing to choose from");
      return value;
    },
    chance: (share) => next() < share,
  };
}

/** A time as names have it, so many seconds from now. */
export function stampIn(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString().replace(/[-:]|\.\d+/g, "");
}

/** The newest good backup of a store that was not harmed; undefined where there is none. */
export function newestGood(state: StoreState | undefined) {
  return state?.backups.filter(({ faults, hasManifest }) => hasManifest && faults.length === 0).at(-1);
}
