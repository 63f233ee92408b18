/** Milliseconds of the units in which a person writes a duration. A day has 24 hours, whatever the clocks do. */
const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** What a duration looks like: `36h`, `30d`, `8w`. */
export const DURATION = /^([1-9]\d{0,4})([hdw])$/;

/** The same, and in seconds and minutes: `90s`, `30m`. */
export const SHORT_DURATION = /^([1-9]\d{0,4})([smhdw])$/;

/** The milliseconds of a duration that {@link SHORT_DURATION} matches; 0 for any other text. */
export function parseDuration(text: string): number {
  const [, count, unit] = SHORT_DURATION.exec(text) ?? [];
  return unit === undefined ? 0 : Number(count) * UNITS[unit as keyof typeof UNITS];
}
