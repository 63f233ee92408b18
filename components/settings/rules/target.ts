import type { Problem } from "../../../providers/config.ts";
import type { CheckedJobs } from "./jobs.ts";
import type { RawSettings } from "./raw.ts";

/** What a target's own rules look at. */
export interface TargetInput extends Pick<CheckedJobs, "jobs" | "references"> {
  readonly raw: RawSettings;
  /** The names of the stack's secrets. */
  readonly secretNames: readonly string[];
}

/** What a target's own rules found. */
export interface TargetFindings<Settings> {
  /** The target with its settings; undefined where they cannot be read. */
  readonly settings: Settings | undefined;
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
  /** The names of secrets that the target itself uses. */
  readonly secretNames: readonly string[];
}
