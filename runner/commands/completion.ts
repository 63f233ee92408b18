import { Argument, type Command } from "commander";
import { examples } from "./examples.ts";

/** The shells that can be completed in. */
const SHELLS = ["bash", "zsh", "fish"] as const;

/** Adds `provision completion`. */
export function addCompletion(program: Command): void {
  program
    .command("completion")
    .summary("print a script that completes commands, options and files in a shell")
    .addHelpText(
      "before",
      examples(
        "provision completion bash > ~/.local/share/bash-completion/completions/provision",
        "provision completion zsh > ~/.zfunc/_provision    # a folder of fpath, before compinit",
        "provision completion fish > ~/.config/fish/completions/provision.fish",
      ),
    )
    .description(
      "Prints a script for bash, zsh or fish. Once the shell has read it, the Tab key completes commands, options, the values that an " +
        "option can have, and paths.",
    )
    .addArgument(new Argument("<shell>", "whose script").choices(SHELLS))
    .action(async (shell: (typeof SHELLS)[number]) => {
      const { factsOf } = await import("../completion/facts.ts");
      process.stdout.write((await writerOf(shell))(factsOf(program)));
    });
}

async function writerOf(shell: (typeof SHELLS)[number]) {
  switch (shell) {
    case "bash":
      return (await import("../completion/bash.ts")).bashScript;
    case "zsh":
      return (await import("../completion/zsh.ts")).zshScript;
    case "fish":
      return (await import("../completion/fish.ts")).fishScript;
  }
}
