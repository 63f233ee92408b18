import { spawnSync } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { LocalWorkspace, PulumiCommand, type PulumiFn, type Stack } from "@pulumi/pulumi/automation/index.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEngine, type Engine } from "../../tools/engine.ts";
import { ensurePulumi } from "../../tools/install/pulumi.ts";
import { TemporaryFolder } from "../helpers/script.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));

/** The example stacks on AWS. */
const AWS = ["dev", "staging", "prod"];

describe("Pulumi.yaml and the example stacks, read by the real CLI", () => {
  let engine: Engine;
  let folder: TemporaryFolder;
  let stack: Stack;
  let environment: Record<string, string>;
  let evaluations = 0;

  const program: PulumiFn = async () => {
    evaluations += 1;
    await import(/* @vite-ignore */ `${join(project, "index.ts")}?project=${evaluations}`);
  };
  const cli = (args: readonly string[], input = "", name = "host") =>
    spawnSync("pulumi", [...args, "--stack", name, "--non-interactive"], {
      cwd: folder.path,
      env: { ...process.env, ...environment },
      input,
      encoding: "utf8",
    });
  const preview = async (previewed = stack): Promise<string> => {
    let output = "";
    const collect = (text: string): void => {
      output += text;
    };
    await previewed.preview({ onOutput: collect, onError: collect, color: "never" }).catch(() => undefined);
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
    for (const name of ["Pulumi.yaml", ...["host", ...AWS].map((each) => `Pulumi.${each}.yaml`)])
      cpSync(join(project, name), join(folder.path, name));
    // The engine checks that it is there; what runs is the program above.
    writeFileSync(join(folder.path, "index.ts"), "");
    stack = await LocalWorkspace.createStack(
      { projectName: "provision", stackName: "host", program },
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
    expect(await preview()).toContain("Stack 'host' with configuration key 'jobs' must be of type 'array<object>'");
    expect(evaluations).toBe(before);
    expect(cli(["config", "rm", "provision:jobs"]).status).toBe(0);
  });

  it("give every key a default, so that the program says what is missing", async () => {
    expect(await preview()).toContain("provision:jobs: there is no job");
  });

  it("show one configuration on AWS, in three stacks that differ in what should differ", () => {
    const configs = AWS.map((name) => {
      expect(cli(["stack", "init"], "", name).status).toBe(0);
      const { status, stdout } = cli(["config", "--json"], "", name);
      expect(status).toBe(0);
      return Object.entries(JSON.parse(stdout) as Record<string, { value?: string; objectValue?: unknown }>);
    });
    const common = configs.map((config) =>
      config.filter(([key]) => !["provision:aws", "aws:defaultTags"].includes(key)),
    );
    expect(common[0]?.map(([key]) => key)).toEqual(expect.arrayContaining(["aws:region", "provision:jobs"]));
    expect(common[1]).toEqual(common[0]);
    expect(common[2]).toEqual(common[0]);
    const own = configs.map((config) =>
      Object.keys(Object.fromEntries(config)["provision:aws"]?.objectValue as object).sort(),
    );
    expect(own).toEqual([
      ["alarms", "bucket", "logs", "secretRecoveryDays"],
      ["alarms", "logs"],
      ["alarms", "bucket"],
    ]);
  });

  it.each(AWS)("say of %s that it needs an image and a secret, and nothing else", async (name) => {
    const remote = await LocalWorkspace.selectStack(
      { projectName: "provision", stackName: name, program },
      { workDir: folder.path, envVars: environment, pulumiCommand: stack.workspace.pulumiCommand },
    );
    const output = await preview(remote);
    expect(output).toContain(`The configuration of the stack ${name} has 2 problems:`);
    expect(output).toContain("Set it: pulumi config set --secret --path 'provision:secrets.appDatabaseUrl'");
    expect(output).toContain("pulumi config set --path 'provision:aws.image' REGISTRY/REPOSITORY@sha256:DIGEST");
  });
});
