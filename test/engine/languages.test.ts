import { execFile } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { quote } from "../../components/host/shell.ts";
import { startEngine, type Engine } from "../../tools/engine.ts";
import { findOnPath } from "../../tools/install/executables.ts";
import { ensurePulumiYaml } from "../../tools/install/pulumi-language-yaml.ts";
import { ensurePulumiPython } from "../../tools/install/pulumi-python.ts";
import { TemporaryFolder } from "../helpers/script.ts";

const LONG_MS = 600_000;
const ROOT = join(import.meta.dirname, "../..");
const PROGRAMS = join(import.meta.dirname, "languages");

const run = promisify(execFile);

let engine: Engine;
let folder: TemporaryFolder;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  engine = await startEngine({ say: () => undefined });
  folder = new TemporaryFolder();
  // What Pulumi's language host for Node.js does with the folder; that comes with the official download alone.
  const load = join(ROOT, "node_modules/@pulumi/pulumi/cmd/run-plugin");
  folder.program(
    "pulumi-resource-provision",
    `#!/bin/sh\nexport PULUMI_NODEJS_TYPESCRIPT=true\n` +
      `exec ${[process.execPath, load, join(ROOT, "plugin")].map(quote).join(" ")} "$@"\n`,
  );
  const state = join(folder.path, "state");
  mkdirSync(state);
  const yaml = dirname(await ensurePulumiYaml());
  environment = {
    ...process.env,
    PATH: [folder.path, join(engine.directory, "plugin"), engine.cli, yaml, process.env.PATH].join(delimiter),
    PULUMI_BACKEND_URL: pathToFileURL(state).href,
    PULUMI_CONFIG_PASSPHRASE: crypto.randomUUID(),
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
}, LONG_MS);
afterAll(async () => {
  await engine.stop();
  folder.remove();
});

/** A folder for a stack. */
function place(name: string): string {
  const path = join(folder.path, name);
  mkdirSync(path);
  return path;
}

/** Runs the command that a stack's output has. */
async function backupsListedBy(command: unknown): Promise<string> {
  return (await run("/bin/sh", ["-c", String(command)])).stdout;
}

it("has a schema of flat, described arguments", { timeout: LONG_MS }, async () => {
  const plugin = join(folder.path, "pulumi-resource-provision");
  const { stdout } = await run("pulumi", ["package", "get-schema", plugin], {
    cwd: folder.path,
    env: environment,
    maxBuffer: 2 ** 26,
  });
  const { resources } = JSON.parse(stdout) as {
    resources: Record<
      string,
      {
        isComponent: boolean;
        requiredInputs: string[];
        inputProperties: Record<string, { description?: string; type?: string; items?: { type?: string } }>;
      }
    >;
  };
  expect(Object.keys(resources).sort()).toEqual(["provision:index:AwsBackup", "provision:index:HostBackup"]);
  for (const { isComponent, inputProperties } of Object.values(resources)) {
    expect(isComponent).toBe(true);
    for (const [name, property] of Object.entries(inputProperties)) {
      expect(property.description, name).toMatch(/\.$|…$/);
      expect(property.items?.type ?? property.type, name).toMatch(/^(string|number)$/);
    }
  }
  expect(resources["provision:index:AwsBackup"]?.requiredInputs.sort()).toEqual(["databaseUrl", "image", "job"]);
});

it("is used by a program in YAML", { timeout: LONG_MS }, async () => {
  const path = place("yaml");
  cpSync(join(PROGRAMS, "Pulumi.yaml"), join(path, "Pulumi.yaml"));
  const pulumi = async (...args: string[]) =>
    (await run("pulumi", [...args, "--non-interactive"], { cwd: path, env: environment })).stdout;
  await pulumi("stack", "init", "dev");
  await pulumi("config", "set", "directory", path);
  await pulumi("up", "--yes", "--skip-preview");
  expect(await backupsListedBy((await pulumi("stack", "output", "list")).trim())).toContain(": 0 backups");
  await pulumi("up", "--yes", "--skip-preview", "--expect-no-changes");
  await pulumi("destroy", "--yes", "--skip-preview");
});

it("is used by a program in Python", { timeout: LONG_MS }, async () => {
  if ((await findOnPath("pulumi-language-python")) === undefined) {
    console.warn("No pulumi-language-python is here: the program names the component itself, without a generated SDK.");
  }
  const path = place("python");
  const python = await ensurePulumiPython();
  const operate = async (operation: "up" | "destroy") => {
    const { stdout } = await run(python, [join(PROGRAMS, "program.py"), path, operation], { env: environment });
    return JSON.parse(stdout) as { changes: Record<string, number>; outputs: Record<string, unknown> };
  };
  const { changes, outputs } = await operate("up");
  expect(Object.keys(changes)).toEqual(["create"]);
  expect(await backupsListedBy(outputs.list)).toContain(": 0 backups");
  expect(Object.keys((await operate("up")).changes)).toEqual(["same"]);
  expect(Object.keys((await operate("destroy")).changes)).toEqual(["delete"]);
});
