/** Milliseconds of the units in which a person writes a duration. A day has 24 hours, whatever the clocks do. */
const UNITS = { h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** What a duration looks like: `36h`, `30d`, `8w`. */
export const DURATION = /^([1-9]\d{0,4})([hdw])$/;

/** The milliseconds of a duration that {@link DURATION} matches; 0 for any other text. */
export function parseDuration(text: string): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  return unit === undefined ? 0 : Number(count) * UNITS[unit as keyof typeof UNITS];
}
