import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import {
  LocalWorkspace,
  PulumiCommand,
  type EngineEvent,
  type OutputMap,
  type PulumiFn,
  type Stack,
  type StackSettings,
} from "@pulumi/pulumi/automation/index.js";
import pLimit from "p-limit";
import { quote } from "../components/host/shell.ts";
import { findOnPath } from "./install/executables.ts";
import { downloadAnswers, ensurePulumi } from "./install/pulumi.ts";
import { policyAnalyzer } from "./policy-analyzer.ts";

const run = promisify(execFile);

/** The releases of the plugins that the packages in package.json ask for. */
const PLUGINS = { command: "1.2.1", aws: "7.48.0" };

/** How long the official download of a plugin may take, in milliseconds; the one of `aws` weighs some 200 MB. */
const DOWNLOAD_MS = 300_000;

/** How long one operation may take, in milliseconds: the longest, a first `up` on AWS, takes up to 90 s on a slow and busy machine. */
const OPERATION_MS = 200_000;

/** A value of a stack's configuration that goes into it encrypted. Made by {@link secret}. */
class SecretValue {
  readonly plain: string;

  constructor(plain: string) {
    this.plain = plain;
  }
}

/** Marks a value of a {@link StackConfig} as a secret; it may stand at any depth. */
export function secret(plain: string): SecretValue {
  return new SecretValue(plain);
}

/** A value of a stack's configuration, as in `Pulumi.<stack>.yaml`. */
export type ConfigValue =
  string | number | boolean | SecretValue | readonly ConfigValue[] | { readonly [key: string]: ConfigValue };

/** A stack's configuration by key; a key without a namespace belongs to the project's own. */
export type StackConfig = Readonly<Record<string, ConfigValue>>;

/** What {@link Engine.stack} needs. */
interface StackOptions {
  /** The program's name: the namespace of its configuration. Default `provision`. */
  readonly project?: string;
  /** Default `dev`. */
  readonly stack?: string;
  /** Default empty. */
  readonly config?: StackConfig;
  /** A function that declares resources and may return outputs, or the path of a module to evaluate again on each run. */
  readonly program: PulumiFn | string;
}

/** What one operation on a stack did, or would do. */
export interface Outcome {
  /** How many resources had each operation: `{ create: 2, same: 1 }`. */
  readonly summary: Readonly<Record<string, number>>;
  /** The steps that changed a resource of the program, in the order in which they started. */
  readonly steps: readonly Step[];
  /** Everything that the CLI printed. */
  readonly output: string;
}

/** One step of an operation on one resource. */
export interface Step {
  /** For instance `create`, `update`, `delete`, `create-replacement`, `delete-replaced`. */
  readonly op: string;
  /** For instance `command:local:Command`. */
  readonly type: string;
  /** The resource's name in the program. */
  readonly name: string;
}

/** A stack on an {@link Engine}. Each operation throws an {@link EngineError} when it fails. */
export interface EngineStack {
  /** The folder that holds everything that is stored of this stack: settings, state and history. */
  readonly directory: string;
  /** Replaces the whole configuration. */
  configure(config: StackConfig): Promise<void>;
  up(): Promise<Outcome>;
  /** With `expectNoChanges`, fails if `up` would change anything; with `policyPacks`, if a mandatory policy is violated. */
  preview(options?: {
    readonly expectNoChanges?: boolean;
    /** Folders of policy packs. */
    readonly policyPacks?: string[];
    /** A file with the configuration of each. */
    readonly policyPackConfigs?: string[];
  }): Promise<Outcome>;
  destroy(): Promise<Outcome>;
  /** Reads all resources again into the state. What had changed is in the summary; there are no steps. */
  refresh(): Promise<Outcome>;
  /** The outputs of the last `up`, secrets in plain. */
  outputs(): Promise<OutputMap>;
  /** The stack's state as JSON text, as it is stored: secrets encrypted. */
  exportState(): Promise<string>;
  /** Renames the stack, and its project, as `pulumi stack rename` does. The configuration must be given again then. */
  rename(to: { readonly stack?: string; readonly project?: string }): Promise<void>;
  /** Puts a state in the place of the stack's own: JSON text as of `pulumi stack export --show-secrets`. */
  importState(text: string): Promise<void>;
}

/** A place for stacks: a folder for their state, a passphrase and the executables that they need. */
export interface Engine {
  /** The folder that holds the stacks' state and settings. */
  readonly directory: string;
  /** The folder that holds the `pulumi` executable. */
  readonly cli: string;
  /** Whether the official `command` plugin serves the stacks or the stand-in for it. */
  readonly commandPlugin: "official" | "stand-in";
  /**
   * Looks for the `aws` plugin: on PATH, in the CLI's cache, or by the official download. `stand-in` is one on PATH that runs
   * the Terraform AWS provider, and so has Terraform's names for some inputs; undefined where there is none.
   */
  awsPlugin(): Promise<"official" | "stand-in" | undefined>;
  /** Creates a stack with a state of its own. */
  stack(options: StackOptions): Promise<EngineStack>;
  /** Removes the folder. What the stacks made stays; `destroy` them first. */
  stop(): Promise<void>;
}

/** An operation of the engine failed. The message holds the diagnostics that the CLI printed, which name the cause. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  /** Everything that the CLI printed. */
  readonly output: string;

  constructor(operation: string, output: string) {
    const diagnostics = output.indexOf("Diagnostics:\n");
    super(`pulumi ${operation} failed:\n${output.slice(Math.max(0, diagnostics)).trim()}`);
    this.output = output;
  }
}

/**
 * Makes a Pulumi engine ready whose state is a folder: brings the CLI where it is missing, and the `command` plugin, or
 * where that cannot be had the stand-in for it from tools/command-plugin, and says so.
 *
 * @param options.commandPlugin `stand-in` uses the stand-in in any case. Default: the official plugin if it can be had.
 * @param options.say where lines for the user go, by default to standard error
 * @throws {Error} that says what to install when there is no CLI and no way to bring it
 */
export async function startEngine(
  options: { readonly commandPlugin?: "stand-in"; readonly say?: (line: string) => void } = {},
): Promise<Engine> {
  const say = options.say ?? console.error;
  const cli = await ensurePulumi(say);
  const directory = await mkdtemp(join(tmpdir(), "provision-engine-"));
  const environment: Record<string, string> = {
    PATH: [cli.directory, process.env.PATH ?? ""].join(delimiter),
    PULUMI_HOME: await makePulumiHome(directory),
    PULUMI_CONFIG_PASSPHRASE: crypto.randomUUID(),
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
  const commandPlugin = options.commandPlugin ?? ((await hasPlugin("command", environment)) ? "official" : "stand-in");
  if (commandPlugin === "stand-in") {
    say("Using the stand-in for Pulumi's official command plugin (tools/command-plugin).");
    environment.PATH = [await installStandIn(directory), environment.PATH].join(delimiter);
  }
  const analyzer = await policyAnalyzer(cli.directory, directory);
  if (analyzer !== undefined) environment.PATH = [analyzer, environment.PATH].join(delimiter);
  const command = await PulumiCommand.get(cli.origin === "path" ? {} : { root: dirname(cli.directory) });
  return {
    directory,
    cli: cli.directory,
    commandPlugin,
    async awsPlugin() {
      if (!(await hasPlugin("aws", environment))) return undefined;
      return (await findOnPath("pulumi-resource-terraform-provider")) === undefined ? "official" : "stand-in";
    },
    stack: (stackOptions) => createStack(directory, environment, command, stackOptions),
    stop: () => rm(directory, { recursive: true, force: true }),
  };
}

/** A home folder for the CLI that leaves the user's alone, apart from the plugins: those are shared. */
async function makePulumiHome(directory: string): Promise<string> {
  const plugins = join(process.env.PULUMI_HOME ?? join(homedir(), ".pulumi"), "plugins");
  const home = join(directory, "home");
  await mkdir(plugins, { recursive: true });
  await mkdir(home);
  await symlink(plugins, join(home, "plugins"));
  return home;
}

/** Whether the engine finds a plugin on PATH or in its cache, or can download the official one. */
async function hasPlugin(name: keyof typeof PLUGINS, environment: Readonly<Record<string, string>>): Promise<boolean> {
  if ((await findOnPath(`pulumi-resource-${name}`)) !== undefined) return true;
  const env = { ...process.env, ...environment };
  const { stdout } = await run("pulumi", ["plugin", "ls", "--json"], { env });
  const installed = JSON.parse(stdout) as { name: string; version: string }[];
  const version = PLUGINS[name];
  if (installed.some((plugin) => plugin.name === name && plugin.version === version)) return true;
  if (!(await downloadAnswers())) return false;
  return run("pulumi", ["plugin", "install", "resource", name, version], { env, timeout: DOWNLOAD_MS }).then(
    () => true,
    () => false,
  );
}

/** Writes the stand-in's executable; returns the folder to put on PATH. */
async function installStandIn(directory: string): Promise<string> {
  const folder = join(directory, "plugin");
  await mkdir(folder);
  const executable = join(folder, "pulumi-resource-command");
  const program = fileURLToPath(new URL("./command-plugin/main.ts", import.meta.url));
  await writeFile(executable, `#!/bin/sh\nexec ${quote(process.execPath)} ${quote(program)} "$@"\n`);
  await chmod(executable, 0o755);
  return folder;
}

async function createStack(
  directory: string,
  engineEnvironment: Readonly<Record<string, string>>,
  pulumiCommand: PulumiCommand,
  { project: firstProject = "provision", stack: firstName = "dev", config = {}, program }: StackOptions,
): Promise<EngineStack> {
  let [project, name] = [firstProject, firstName];
  const workDir = await mkdtemp(join(directory, `${project}-${name}-`));
  const state = join(workDir, "state");
  await mkdir(state);
  const environment = { ...engineEnvironment, PULUMI_BACKEND_URL: pathToFileURL(state).href };
  const inlineProgram = typeof program === "string" ? evaluatedAnew(program) : program;
  const inWorkDir = { workDir, pulumiCommand, envVars: environment };
  let stack = await LocalWorkspace.createStack(
    { projectName: project, stackName: name, program: inlineProgram },
    inWorkDir,
  );
  await configure(stack, environment, project, config);

  // A test that ran out of time goes on while it is repeated, and two operations on one stack would end each other.
  const oneAtATime = pLimit(1);

  /** Runs one operation of the Automation API and collects what it reports. */
  async function operateNow(operation: string, start: (options: ReportOptions) => Promise<unknown>): Promise<Outcome> {
    let output = "";
    let summary: Record<string, number> = {};
    const steps: Step[] = [];
    const collect = (text: string): void => {
      output += text;
    };
    const onEvent = (event: EngineEvent): void => {
      const step = event.resourcePreEvent?.metadata;
      if (step !== undefined && !["same", "refresh"].includes(step.op) && !step.type.startsWith("pulumi:")) {
        steps.push({ op: step.op, type: step.type, name: nameOf(step.urn) });
      }
      if (event.summaryEvent !== undefined) summary = event.summaryEvent.resourceChanges;
    };
    const limit = AbortSignal.timeout(OPERATION_MS);
    try {
      await Promise.race([start({ onOutput: collect, onError: collect, onEvent }), once(limit, "abort")]);
      limit.throwIfAborted();
    } catch (error) {
      if (limit.aborted) output += `\nIts processes were killed, as it took more than ${OPERATION_MS / 1000} s.`;
      throw new EngineError(operation, output === "" && error instanceof Error ? error.message : output);
    } finally {
      await endLeftovers(environment.PULUMI_BACKEND_URL);
      // What was killed has left its lock on the stack.
      if (limit.aborted) await stack.cancel();
    }
    return { summary, steps, output };
  }
  const operate: typeof operateNow = (...operation) => oneAtATime(() => operateNow(...operation));

  return {
    directory: workDir,
    configure: (changed) => configure(stack, environment, project, changed),
    up: () => operate("up", (report) => stack.up({ ...report, color: "never" })),
    preview: (options = {}) => operate("preview", (report) => stack.preview({ ...report, color: "never", ...options })),
    destroy: () => operate("destroy", (report) => stack.destroy({ ...report, color: "never" })),
    refresh: () => operate("refresh", (report) => stack.refresh({ ...report, color: "never" })),
    outputs: () => stack.outputs(),
    async rename(to) {
      const { stack: newName = name, project: newProject = project } = to;
      await stack.rename({ stackName: `organization/${newProject}/${newName}` });
      [project, name] = [newProject, newName];
      await rm(join(workDir, "Pulumi.yaml"), { force: true });
      stack = await LocalWorkspace.selectStack(
        { projectName: project, stackName: name, program: inlineProgram },
        inWorkDir,
      );
    },
    async importState(text) {
      const { version, deployment } = JSON.parse(text) as { version: number; deployment: object };
      const { encryptionSalt: salt } = await stack.workspace.stackSettings(name);
      const secrets_providers = { type: "passphrase", state: { salt } };
      await stack.importStack({ version, deployment: { ...deployment, secrets_providers } });
    },
    exportState: () => readFile(join(state, ".pulumi", "stacks", project, `${name}.json`), "utf8"),
  };
}

/**
 * Ends what an operation has left behind: the stand-in for the `aws` plugin ends without the Terraform provider that it has
 * started, of which each takes 250 MB. Such a process has the stack's address in its environment, which no other has.
 */
async function endLeftovers(backendUrl: string): Promise<void> {
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const variables = await readFile(join("/proc", pid, "environ"), "utf8").catch(() => "");
    if (!variables.split("\0").includes(`PULUMI_BACKEND_URL=${backendUrl}`)) continue;
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended by now.
    }
  }
}

/** What an operation of the Automation API takes to report on itself. */
interface ReportOptions {
  readonly onOutput: (text: string) => void;
  readonly onError: (text: string) => void;
  readonly onEvent: (event: EngineEvent) => void;
}

function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** A program that evaluates the module again each time it runs: Node.js keeps one instance for each query string. */
function evaluatedAnew(file: string): PulumiFn {
  const url = pathToFileURL(file).href;
  return async () => {
    evaluations += 1;
    return outputsOf((await import(/* @vite-ignore */ `${url}?run=${evaluations}`)) as object);
  };
}

/** What Pulumi's own language host takes for the outputs of a program's module: its default export, else all that it exports. */
export function outputsOf(module: object): Record<string, unknown> {
  return { ...("default" in module ? (module.default as object) : module) };
}

let evaluations = 0;

/** Writes the stack's settings file, then has the CLI encrypt each secret into it, handed over by standard input. */
async function configure(
  stack: Stack,
  environment: Readonly<Record<string, string>>,
  project: string,
  config: StackConfig,
): Promise<void> {
  const secrets = new Map<string, string>();
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    const fullKey = key.includes(":") ? key : `${project}:${key}`;
    const withoutSecrets = takeSecrets(fullKey, value, secrets);
    if (withoutSecrets !== undefined) plain[fullKey] = withoutSecrets;
  }
  const { workspace } = stack;
  const settings: StackSettings = await workspace.stackSettings(stack.name);
  await workspace.saveStackSettings(stack.name, { ...settings, config: plain });
  for (const [path, value] of secrets) {
    await runWithInput(
      ["config", "set", "--secret", "--path", path, "--stack", stack.name, "--non-interactive"],
      value,
      workspace.workDir,
      environment,
    );
  }
}

/**
 * A copy of the value with an empty text in place of each secret; the secrets go into `secrets` by their path. A value
 * that is itself a secret gives undefined.
 */
function takeSecrets(path: string, value: ConfigValue, secrets: Map<string, string>): unknown {
  if (value instanceof SecretValue) {
    secrets.set(path, value.plain);
    return undefined;
  }
  if (isList(value)) return value.map((item, index) => takeSecrets(`${path}[${index}]`, item, secrets) ?? "");
  if (typeof value !== "object") return value;
  const copies = Object.entries(value).map(([key, item]) => {
    return [key, takeSecrets(`${path}[${JSON.stringify(key)}]`, item, secrets) ?? ""];
  });
  return Object.fromEntries(copies) as unknown;
}

function isList(value: ConfigValue): value is readonly ConfigValue[] {
  return Array.isArray(value);
}

/** Runs the CLI with a text on its standard input, where other processes do not see it. */
async function runWithInput(
  args: readonly string[],
  input: string,
  workDir: string,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const child = spawn("pulumi", args, {
    cwd: workDir,
    env: { ...process.env, ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  // The CLI takes one line end away.
  child.stdin.end(`${input}\n`);
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new EngineError(args.slice(0, 2).join(" "), output);
}
