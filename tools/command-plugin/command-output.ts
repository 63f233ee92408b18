import engineProtocol from "@pulumi/pulumi/proto/engine_pb.js";
import * as settings from "@pulumi/pulumi/runtime/settings.js";

/** Makes {@link logOutput} reach the engine, whose address is the first argument that is not an option. */
export function connectToEngine(args: readonly string[]): void {
  const address = args.find((argument) => !argument.startsWith("-")) ?? "";
  settings.resetOptions("", "", 1, address, "", false, "");
}

/** Which of a command's outputs the user sees while it runs; the names are the official plugin's. */
type Logging = "stdout" | "stderr" | "stdoutAndStderr" | "none";

/** The logging that an input asks for; by default both outputs. @throws {Error} if it is none of the four */
export function asLogging(value: unknown): Logging {
  switch (value) {
    case undefined:
      return "stdoutAndStderr";
    case "stdout":
    case "stderr":
    case "stdoutAndStderr":
    case "none":
      return value;
    default:
      throw new Error("logging must be stdout, stderr, stdoutAndStderr or none");
  }
}

/** Shows the lines of an output as the resource's passing status. */
function logOutput(urn: string, text: string): void {
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const request = new engineProtocol.LogRequest();
    request.setSeverity(engineProtocol.LogSeverity.INFO);
    request.setUrn(urn);
    request.setMessage(line);
    request.setEphemeral(true);
    settings.getEngine()?.log(request, () => undefined);
  }
}

/** What a command wrote, collected as it comes: each output, and both in the order in which they came. */
export class Collected {
  readonly #urn: string;
  readonly #logging: Logging;
  #stdout = "";
  #stderr = "";
  #both = "";

  constructor(urn: string, logging: Logging) {
    this.#urn = urn;
    this.#logging = logging;
  }

  stdout(text: string): void {
    this.#stdout += text;
    this.#both += text;
    if (this.#logging === "stdout" || this.#logging === "stdoutAndStderr") logOutput(this.#urn, text);
  }

  stderr(text: string): void {
    this.#stderr += text;
    this.#both += text;
    if (this.#logging === "stderr" || this.#logging === "stdoutAndStderr") logOutput(this.#urn, text);
  }

  /** The two outputs as a resource has them: without the last line end. */
  outputs(): { stdout: string; stderr: string } {
    return { stdout: this.#stdout.replace(/\n$/, ""), stderr: this.#stderr.replace(/\n$/, "") };
  }

  /** The error of a command that failed for `reason`. */
  failure(reason: string, command: string): Error {
    return new Error(`${reason}: running ${JSON.stringify(command)}:\n${this.#both}`);
  }
}
