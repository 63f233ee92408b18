/** Examples of a command, for its help, where they stand before everything else: `addHelpText("before", examples(…))`. */
export function examples(...lines: readonly string[]): string {
  return ["Examples:", ...lines.map((line) => `  ${line}`), ""].join("\n");
}
