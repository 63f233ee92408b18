import type { Argument, Command, Option } from "commander";

/** What may be typed for a value: a path, one of some words, or what no shell can know. */
export type Value = "file" | "folder" | "other" | readonly string[];

/** An option as a shell completes it. */
export interface OptionFacts {
  /** With its dashes: `--job`. */
  readonly name: string;
  readonly about: string;
  /** What its value is called. */
  readonly placeholder: string;
  /** Undefined where it takes none. */
  readonly value: Value | undefined;
  /** Whether it takes several values. */
  readonly several: boolean;
}

/** A command as a shell completes it. */
export interface CommandFacts {
  readonly name: string;
  readonly about: string;
  /** Its own options, without those of the program. */
  readonly options: readonly OptionFacts[];
  /** What its argument may be; undefined where it takes none. */
  readonly argument: Value | undefined;
}

/** The command line as a shell completes it. */
export interface ProgramFacts {
  readonly name: string;
  /** The options that stand before a command or behind it. */
  readonly options: readonly OptionFacts[];
  readonly commands: readonly CommandFacts[];
}

/** Placeholders of values that are paths. */
const PATHS: ReadonlyMap<string, Value> = new Map([
  ["file", "file"],
  ["files", "file"],
  ["folder", "folder"],
  // A folder, or a URL, which nobody completes.
  ["target", "folder"],
]);

/** Reads what is completed from the command line itself. */
export function factsOf(program: Command): ProgramFacts {
  const help = program.createHelp();
  const own = help.visibleOptions(program).filter(({ long }) => long !== "--version" && long !== "--help");
  const commands = help.visibleCommands(program).map((command) => ({
    name: command.name(),
    about: command.summary() || command.description(),
    options: help.visibleOptions(command).map(optionFacts),
    argument: command.registeredArguments.map(argumentValue)[0],
  }));
  const named = commands.map(({ name }) => name);
  return {
    name: program.name(),
    options: own.map(optionFacts),
    commands: commands.map((command) => (command.name === "help" ? { ...command, argument: named } : command)),
  };
}

function optionFacts(option: Option): OptionFacts {
  const placeholder = /[<[]([\w-]+)/.exec(option.flags)?.[1] ?? "";
  return {
    name: option.long ?? option.flags,
    about: option.description,
    placeholder,
    value: placeholder === "" ? undefined : (option.argChoices ?? PATHS.get(placeholder) ?? "other"),
    several: option.variadic,
  };
}

function argumentValue(argument: Argument): Value {
  return argument.argChoices ?? PATHS.get(argument.name()) ?? "other";
}
