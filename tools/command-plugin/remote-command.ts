import type { ClientChannel } from "ssh2";
import { asLogging, Collected } from "./command-output.ts";
import { commandInputs, commandLifecycle, previousOutputs } from "./command.ts";
import { withConnection } from "./connection.ts";
import { optionalText, reveal, type Context, type Inputs, type ResourceKind } from "./resource.ts";

/** `command:remote:Command`: a command on a machine that is reached by SSH; the user's login shell runs it. */
export const remoteCommand: ResourceKind = {
  inputs: [...commandInputs, "connection"],
  defaults: { addPreviousOutputInEnv: true },
  ...commandLifecycle(runRemotely),
};

function runRemotely(command: string, marked: Inputs, previous: Inputs, context: Context): Promise<Inputs> {
  const inputs = reveal(marked) as Inputs;
  const collected = new Collected(context.urn, asLogging(inputs.logging));
  return withConnection(inputs, context, (client) => {
    return new Promise((resolve, reject) => {
      // Most servers ignore these variables, and the official plugin goes on as well when they do.
      const env = previousOutputs(inputs, previous);
      const started = (error: Error | undefined, channel: ClientChannel): void => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        channel.setEncoding("utf8").on("data", (text: string) => {
          collected.stdout(text);
        });
        channel.stderr.setEncoding("utf8").on("data", (text: string) => {
          collected.stderr(text);
        });
        let failure: string | undefined = "wait: remote command exited without exit status or exit signal";
        channel.on("exit", (code: number | null, signal?: string) => {
          if (code === 0) failure = undefined;
          else
            failure =
              code === null ? `Process exited with signal ${signal ?? ""}` : `Process exited with status ${code}`;
        });
        channel.on("error", reject);
        channel.on("close", () => {
          if (failure === undefined) resolve(collected.outputs());
          else reject(collected.failure(failure, command));
        });
        channel.end(optionalText(inputs, "stdin") ?? "");
      };
      client.on("error", reject);
      context.signal.addEventListener("abort", () => {
        client.destroy();
        reject(collected.failure("context canceled", command));
      });
      client.exec(command, { env }, started);
    });
  });
}
