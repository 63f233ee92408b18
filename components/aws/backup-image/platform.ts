/** Docker's name of the platform, by the processor. */
const PLATFORMS = { arm64: "linux/arm64", x86_64: "linux/amd64" } as const;

/** A processor that an image can be made for, as `provision:aws.architecture` names it. */
export type Architecture = keyof typeof PLATFORMS;

/** The processors that an image can be made for. */
export const ARCHITECTURES = Object.keys(PLATFORMS) as Architecture[];

/** Docker's name of the platform of a processor; undefined for another text. */
export function platformOf(architecture: Architecture): string;
export function platformOf(architecture: string): string | undefined;
export function platformOf(architecture: string): string | undefined {
  return Object.hasOwn(PLATFORMS, architecture) ? PLATFORMS[architecture as Architecture] : undefined;
}
