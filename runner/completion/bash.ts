import type { OptionFacts, ProgramFacts, Value } from "./facts.ts";

/** A completion for bash, 3.2 and newer. */
export function bashScript({ name, options, commands }: ProgramFacts): string {
  const words = (some: readonly { readonly name: string }[]) => some.map((each) => each.name).join(" ");
  const replyWith = (some: string) => `_${name}_reply -W '${some}' -- "$word"`;
  const reply = (value: Value) => {
    if (value === "other") return ":";
    if (value === "file") return `_${name}_paths -f -- "$word"`;
    return value === "folder" ? `_${name}_paths -d -- "$word"` : replyWith(value.join(" "));
  };
  const ofOption = (command: string, { name: option, value }: OptionFacts) =>
    value === undefined ? [] : [`    ${command}' ${option}') ${reply(value)}; return ;;`];
  const own = commands.flatMap((command) => command.options.map((option) => [command.name, option] as const));
  const given = options.filter(({ value }) => value !== undefined);
  return `# Completion of ${name} for bash. Printed by: ${name} completion bash
_${name}_reply() {
  local reply
  while IFS= read -r reply; do COMPREPLY+=("$reply"); done < <(compgen "$@")
}
_${name}_paths() {
  compopt -o filenames 2>/dev/null
  _${name}_reply "$@"
}
_${name}() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command='' option='' index
  COMPREPLY=()
  # An option and its value in one word come here as three: --job = app.json
  if [[ $word == '=' ]]; then
    word=''
  elif [[ $before == '=' ]]; then
    before="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "\${COMP_WORDS[index]}" in
      ${given.map((option) => option.name).join(" | ")})
        [[ "\${COMP_WORDS[index+1]}" == '=' ]] && ((index += 1))
        ((index += 1))
        ;;
      -*) option="\${COMP_WORDS[index]}" ;;
      *) [[ -z $command ]] && command="\${COMP_WORDS[index]}" ;;
    esac
  done
  case "$command $before" in
${[
  ...options.flatMap((option) => ofOption("*", option)),
  ...own.flatMap(([command, option]) => ofOption(`'${command}'`, option)),
].join("\n")}
  esac
  if [[ $word == -* ]]; then
    case "$command" in
${commands.map((command) => `      ${command.name}) ${replyWith(words([...command.options, ...options]))} ;;`).join("\n")}
      *) ${replyWith(`${words(options)} --version --help`)} ;;
    esac
    return
  fi
  case "$command $option" in
${own
  .filter(([, { several }]) => several)
  .flatMap(([command, option]) => ofOption(`'${command}'`, option))
  .join("\n")}
  esac
  case "$command" in
    '') ${replyWith(words(commands))} ;;
${commands
  .flatMap(({ name: command, argument }) => (argument === undefined ? [] : [`    ${command}) ${reply(argument)} ;;`]))
  .join("\n")}
  esac
}
complete -F _${name} ${name}
`;
}
