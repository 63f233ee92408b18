import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { LocalWorkspace, PulumiCommand, type PulumiFn, type Stack } from "@pulumi/pulumi/automation/index.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEngine, type Engine } from "../../tools/engine.ts";
import { ensurePulumi } from "../../tools/pulumi.ts";
import { TemporaryFolder } from "../helpers/script.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));

describe("Pulumi.yaml and the example stack, read by the real CLI", () => {
  let engine: Engine;
  let folder: TemporaryFolder;
  let stack: Stack;
  let environment: Record<string, string>;
  let evaluations = 0;

  const program: PulumiFn = async () => {
    evaluations += 1;
    await import(/* @vite-ignore */ `${join(project, "index.ts")}?project=${evaluations}`);
  };
  const cli = (args: readonly string[], input = "") =>
    spawnSync("pulumi", [...args, "--stack", "dev", "--non-interactive"], {
      cwd: folder.path,
      env: { ...process.env, ...environment },
      input,
      encoding: "utf8",
    });
  const preview = async (): Promise<string> => {
    let output = "";
    const collect = (text: string): void => {
      output += text;
    };
    await stack.preview({ onOutput: collect, onError: collect, color: "never" }).catch(() => undefined);
    return output;
  };

  beforeAll(async () => {
    engine = await startEngine();
    folder = new TemporaryFolder();
    const { directory } = await ensurePulumi(console.error);
    environment = {
      PATH: [directory, join(engine.directory, "plugin"), process.env.PATH ?? ""].join(delimiter),
      PULUMI_BACKEND_URL: pathToFileURL(folder.path).href,
      PULUMI_CONFIG_PASSPHRASE: crypto.randomUUID(),
      PULUMI_SKIP_UPDATE_CHECK: "true",
    };
    for (const name of ["Pulumi.yaml", "Pulumi.dev.yaml"]) cpSync(join(project, name), join(folder.path, name));
    stack = await LocalWorkspace.createStack(
      { projectName: "provision", stackName: "dev", program },
      {
        workDir: folder.path,
        envVars: environment,
        pulumiCommand: await PulumiCommand.get({ root: join(directory, ".."), skipVersionCheck: true }),
      },
    );
  });
  afterAll(async () => {
    folder.remove();
    await engine.stop();
  });

  it("say which secret the example needs, and how it is set", async () => {
    expect(await preview()).toContain("Set it: pulumi config set --secret --path 'provision:secrets.appDatabaseUrl'");
  });

  it("are all that a stack needs once that is done", async () => {
    const set = ["config", "set", "--secret", "--path", "provision:secrets.appDatabaseUrl"];
    expect(cli(set, "postgres://u:p@db/app\n").status).toBe(0);
    const output = await preview();
    expect(output).toMatch(/^ +\+ 1[0-9] to create$/m);
    expect(output).not.toContain("error:");
  });

  it("refuse a key of the wrong type before the program runs", async () => {
    expect(cli(["config", "set", "provision:jobs", "app"]).status).toBe(0);
    const before = evaluations;
    expect(await preview()).toContain("Stack 'dev' with configuration key 'jobs' must be of type 'array<object>'");
    expect(evaluations).toBe(before);
    expect(cli(["config", "rm", "provision:jobs"]).status).toBe(0);
  });

  it("give every key a default, so that the program says what is missing", async () => {
    expect(await preview()).toContain("provision:jobs: there is no job");
  });
});
