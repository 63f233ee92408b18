import { spawn } from "node:child_process";
import { once } from "node:events";
import { asLogging, Collected } from "./command-output.ts";
import { commandLifecycle, commandInputs, previousOutputs } from "./command.ts";
import { optionalText, reveal, type Context, type Inputs, type ResourceKind } from "./resource.ts";

/** `command:local:Command`: a command on this machine. */
export const localCommand: ResourceKind = {
  inputs: [...commandInputs, "dir", "environment", "interpreter"],
  defaults: { addPreviousOutputInEnv: true },
  ...commandLifecycle(runLocally),
};

async function runLocally(command: string, marked: Inputs, previous: Inputs, context: Context): Promise<Inputs> {
  const inputs = reveal(marked) as Inputs;
  const collected = new Collected(context.urn, asLogging(inputs.logging));
  const [program = "/bin/sh", ...args] = (inputs.interpreter as string[] | undefined) ?? ["/bin/sh", "-c"];
  const child = spawn(program, [...args, command], {
    cwd: optionalText(inputs, "dir"),
    env: {
      ...process.env,
      ...(inputs.environment as Record<string, string> | undefined),
      ...previousOutputs(inputs, previous),
    },
    stdio: ["pipe", "pipe", "pipe"],
    signal: context.signal,
    killSignal: "SIGKILL",
  });
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    collected.stdout(text);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    collected.stderr(text);
  });
  // A command need not read its input; that it has ended before is no failure.
  child.stdin.on("error", () => undefined);
  child.stdin.end(optionalText(inputs, "stdin") ?? "");
  let code: number | null, signal: NodeJS.Signals | null;
  try {
    [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  } catch (error) {
    throw collected.failure(error instanceof Error ? error.message : String(error), command);
  }
  if (code !== 0) throw collected.failure(code === null ? `signal: ${signal ?? ""}` : `exit status ${code}`, command);
  return collected.outputs();
}
