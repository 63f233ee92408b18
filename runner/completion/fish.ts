import type { OptionFacts, ProgramFacts, Value } from "./facts.ts";

/** A completion for fish, 3.0 and newer. */
export function fishScript({ name, options, commands }: ProgramFacts): string {
  const add = (...words: readonly string[]) => ["complete", "-c", name, ...words].join(" ");
  const optionOf = (option: OptionFacts) => [
    "-l",
    option.name.slice(2),
    ...values(option.value),
    "-d",
    quoted(option.about),
  ];
  const none = quoted(`not __fish_seen_subcommand_from ${commands.map((command) => command.name).join(" ")}`);
  const lines = [
    `# Completion of ${name} for fish. Printed by: ${name} completion fish`,
    add("-f"),
    ...options.map((option) => add(...optionOf(option))),
    add("-n", none, "-l", "version", "-d", quoted("print the version")),
    ...commands.flatMap((command) => {
      const within = quoted(`__fish_seen_subcommand_from ${command.name}`);
      return [
        add("-n", none, "-a", command.name, "-d", quoted(command.about)),
        ...command.options.map((option) => add("-n", within, ...optionOf(option))),
        ...(command.argument === undefined || command.argument === "other"
          ? []
          : [add("-n", within, ...values(command.argument).filter((word) => word !== "-r"))]),
      ];
    }),
  ];
  return `${lines.join("\n")}\n`;
}

/** The switches that say what may be typed. */
function values(value: Value | undefined): string[] {
  if (value === undefined) return [];
  if (value === "other") return ["-x"];
  if (value === "file") return ["-r", "-F"];
  return ["-r", "-a", quoted(value === "folder" ? "(__fish_complete_directories)" : value.join(" "))];
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
}
