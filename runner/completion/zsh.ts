import type { CommandFacts, OptionFacts, ProgramFacts, Value } from "./facts.ts";

/** A completion for zsh, to be loaded from a folder of fpath or sourced. */
export function zshScript({ name, options, commands }: ProgramFacts): string {
  const common = options.map(optionSpec);
  const ofCommand = ({ name: command, options: own, argument }: CommandFacts) => {
    const specs = [...own.map(optionSpec), ...common, quoted(`1:argument:${action(argument ?? "other")}`)];
    return `        ${command}) _arguments ${specs.join(" ")} ;;`;
  };
  return `#compdef ${name}
# Completion of ${name} for zsh. Printed by: ${name} completion zsh
_${name}() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  local -a commands
  commands=(
${commands.map(({ name: command, about }) => `    ${quoted(`${command}:${about}`)}`).join("\n")}
  )
  _arguments -C ${common.join(" ")} '--version[print the version]' '--help[print the help]' '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe -t commands command commands ;;
    argument)
      case $line[1] in
${commands.map(ofCommand).join("\n")}
      esac
      ;;
  esac
}
if [[ \${funcstack[1]} == _${name} ]]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi
`;
}

function optionSpec({ name, about, placeholder, value, several }: OptionFacts): string {
  const text = about.replaceAll(/[[\]\\:]/g, String.raw`\$&`);
  if (value === undefined) return quoted(`${name}[${text}]`);
  return quoted(`${name}${several ? "" : "="}[${text}]:${several ? "*:" : ""}${placeholder}:${action(value)}`);
}

function action(value: Value): string {
  if (value === "file") return "_files";
  if (value === "folder") return "_files -/";
  return value === "other" ? " " : `(${value.join(" ")})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
