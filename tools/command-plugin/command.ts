import { reveal, optionalText, type Context, type Inputs, type ResourceKind } from "./resource.ts";

/** The inputs that a local and a remote command have in common. */
export const commandInputs = ["create", "update", "delete", "triggers", "stdin", "logging", "addPreviousOutputInEnv"];

/** Runs one command with the other inputs of its resource; returns what it wrote, or throws. */
type Run = (command: string, inputs: Inputs, previous: Inputs, context: Context) => Promise<Inputs>;

/** Which command runs when. `previous` are the outputs of the command that ran before. */
export function commandLifecycle(run: Run): Pick<ResourceKind, "create" | "update" | "delete"> {
  return {
    create(inputs, context) {
      const command = text(inputs, "create");
      return command === undefined ? Promise.resolve({ stdout: "", stderr: "" }) : run(command, inputs, {}, context);
    },
    update(olds, news, context) {
      const previous = { stdout: olds.stdout, stderr: olds.stderr };
      const command = text(news, "update") ?? text(news, "create");
      return command === undefined ? Promise.resolve(previous) : run(command, news, previous, context);
    },
    async delete(state, context) {
      const command = text(state, "delete");
      if (command !== undefined) await run(command, state, state, context);
    },
  };
}

function text(inputs: Inputs, name: string): string | undefined {
  return optionalText(reveal(inputs) as Inputs, name);
}

/** The environment variables in which a command finds what the one before it wrote. */
export function previousOutputs(inputs: Inputs, previous: Inputs): Record<string, string> {
  if (inputs.addPreviousOutputInEnv === false) return {};
  const { stdout, stderr } = reveal(previous) as Inputs;
  return {
    ...(typeof stdout === "string" && stdout !== "" ? { PULUMI_COMMAND_STDOUT: stdout } : {}),
    ...(typeof stderr === "string" && stderr !== "" ? { PULUMI_COMMAND_STDERR: stderr } : {}),
  };
}
