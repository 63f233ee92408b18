import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { S3 } from "@aws-sdk/client-s3";
import { LocalWorkspace, PulumiCommand } from "@pulumi/pulumi/automation/index.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEngine, type Engine } from "../../tools/engine.ts";
import { findOnPath } from "../../tools/install/executables.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { startMoto, type Moto } from "../../tools/services/moto.ts";
import { ROOT } from "../../tools/tests/imports.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { type Step, typedBlocks, TypedShell } from "../helpers/typed-shell.ts";
import { runTask } from "./aws/ecs-task.ts";
import { awsProgram } from "./aws/program.ts";

const PAGE = "examples/bootstrap/README.md";
const REGION = "eu-central-1";
const LONG_MS = 400_000;
const blocks = typedBlocks(PAGE);

let engine: Engine;
let plugin: Awaited<ReturnType<Engine["awsPlugin"]>>;
let folder: TemporaryFolder;
let moto: Moto;
let postgres: Postgres;
let environment: Record<string, string>;
let typedShell: TypedShell;
/** What `pulumi stack output settings` printed: which boundary and which readers a stack names. */
let settings: {
  readonly permissionsBoundary: Readonly<Record<string, string>>;
  readonly readers: Readonly<Record<string, readonly string[]>>;
};

/** A clone of the repository, as far as the CLI reads one. */
const clone = () => join(folder.path, "clone");
const written = (name: string) => readFileSync(join(folder.path, name), "utf8");

beforeAll(async () => {
  engine = await startEngine({ say: () => undefined });
  plugin = await engine.awsPlugin();
  folder = new TemporaryFolder();
  if (plugin === undefined) return;
  [moto, postgres] = await Promise.all([startMoto(), startPostgres()]);
  await createSampleDatabase(postgres.url("shop"), { megabytes: 1 });
  const home = join(folder.path, "home");
  mkdirSync(home);
  const [{ sfn = "" } = {}] = moto.config["aws:endpoints"] as unknown as Record<string, string>[];
  environment = {
    PATH: [folder.path, engine.cli, join(engine.directory, "plugin"), process.env.PATH].join(delimiter),
    HOME: home,
    PULUMI_HOME: join(engine.directory, "home"),
    PULUMI_CONFIG_PASSPHRASE: crypto.randomUUID(),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_ENDPOINT_URL: moto.url,
    AWS_ENDPOINT_URL_SFN: sfn,
    GIT_AUTHOR_NAME: "Ada",
    GIT_AUTHOR_EMAIL: "ada@example.com",
    GIT_COMMITTER_NAME: "Ada",
    GIT_COMMITTER_EMAIL: "ada@example.com",
  };
  folder.program("npm", `#!/bin/sh\n[ "$*" = install ] && ln -s '${ROOT}/node_modules' node_modules\n`);
  folder.program("gh", `#!/bin/sh\nprintf '%s\\n' "$*" >> '${folder.path}/gh.said'\n`);
  folder.program("aws", `#!/bin/sh\nprintf '%s\\n' "$@" > '${folder.path}/aws.said'\necho arn:aws:ecs:task\n`);
  if ((await findOnPath("jq")) === undefined) {
    const path = `process.argv[2].slice(1).split(".").reduce((value, name) => value[name], input)`;
    const text = `const input = JSON.parse(require("fs").readFileSync(0, "utf8")); console.log(${path});`;
    folder.program("jq", `#!/bin/sh\nexec '${process.execPath}' -e '${text}' -- "$@"\n`);
  }
  mkdirSync(join(clone(), "examples"), { recursive: true });
  for (const name of ["Pulumi.yaml", "Pulumi.dev.yaml", "examples/bootstrap"])
    cpSync(join(ROOT, name), join(clone(), name), { recursive: true });
  // The CLI checks that it is there; the program that runs is this project's.
  writeFileSync(join(clone(), "index.ts"), "");
  typedShell = new TypedShell(folder.path, clone(), environment);
  await shell(
    `git init -q --bare -b main ../origin.git && git init -q -b main && git remote add origin ../origin.git && git add . && ` +
      `git commit -q -m "The repository" && git push -q -u origin main`,
  );
}, LONG_MS);
afterAll(async () => {
  await engine.stop();
  if (plugin !== undefined) await Promise.all([moto.stop(), postgres.stop()]);
  folder.remove();
});

const shell = (command: string, typed?: string) => typedShell.run(command, typed);

/** `pulumi up` of a stack in the folder of its project. */
async function up(project: string, stackName: string, workDir: string, file?: string): Promise<void> {
  // Without it, the emulator would have to have a host name for each bucket.
  await shell("pulumi config set aws:s3UsePathStyle true");
  const program = awsProgram(plugin ?? "official", file);
  const stack = await LocalWorkspace.selectStack(
    { projectName: project, stackName, program },
    {
      workDir,
      envVars: environment,
      pulumiCommand: await PulumiCommand.get({ root: join(engine.cli, ".."), skipVersionCheck: true }),
    },
  );
  let output = "";
  const collect = (text: string) => {
    output += text;
  };
  const options = { onOutput: collect, onError: collect, color: "never" } as const;
  try {
    await stack.preview(options);
    const { summary } = await stack.up(options);
    expect(Object.keys(summary.resourceChanges ?? {})).toEqual(["create"]);
  } catch (error) {
    throw new Error(output, { cause: error });
  }
}

const inProcess =
  "Pulumi's language host for Node.js is in its official download alone, and moto needs some of the program changed: it runs in the test";

const PUSH = 'git add Pulumi.dev.yaml && git commit -m "Back up app" && git push';

const steps: readonly Step[] = [
  { command: "cd examples/bootstrap && npm install", because: "npm is a stand-in that links this project's packages" },
  {
    command: "pulumi login file://~",
    instead: `pulumi login "file://$HOME"`,
    because: "the state in the tester's own home is none of a test's business",
  },
  { command: "pulumi stack init bootstrap" },
  { command: "pulumi config set aws:region eu-central-1" },
  { command: "pulumi config set repository acme/backups" },
  {
    command: "pulumi up",
    instead: () =>
      up("bootstrap", "bootstrap", join(clone(), "examples/bootstrap"), join(ROOT, "examples/bootstrap/index.ts")),
    because: inProcess,
  },
  { command: "pulumi stack output paste | sh", because: "gh is a stand-in that writes down what it is asked for" },
  {
    command: "pulumi stack output settings --json",
    instead: async () => {
      settings = JSON.parse(await shell("pulumi stack output settings --json")) as typeof settings;
    },
  },
  {
    command:
      "backend=$(cd examples/bootstrap && pulumi stack output --json repositoryVariables | jq -r .PULUMI_BACKEND_URL)",
  },
  { command: "provider=$(cd examples/bootstrap && pulumi stack output secretsProvider)" },
  {
    command: 'pulumi login "$backend"',
    instead: 'pulumi login "$backend?s3ForcePathStyle=true"',
    because: "the emulator has no host name for each bucket",
  },
  { command: 'pulumi stack init dev --secrets-provider="$provider"' },
  {
    command: "pulumi config set --secret --path provision:secrets.appDatabaseUrl",
    // No output shows it: the CLI reads it as it reads what a person types.
    instead: () =>
      shell("pulumi config set --secret --path provision:secrets.appDatabaseUrl", `${postgres.url("shop")}\n`),
  },
  {
    command: "pulumi config set --path provision:aws.permissionsBoundary arn:aws:iam::…",
    instead: () =>
      shell(`pulumi config set --path provision:aws.permissionsBoundary '${settings.permissionsBoundary.dev ?? ""}'`),
    because: "the value is the one that the output settings had",
  },
  {
    command: "pulumi config set --path 'provision:aws.readers[0]' arn:aws:iam::…",
    instead: async () => {
      for (const [index, reader] of (settings.readers.dev ?? []).entries())
        await shell(`pulumi config set --path 'provision:aws.readers[${index}]' '${reader}'`);
    },
    because: "both values are those that the output settings had",
  },
  {
    command: PUSH,
    instead: async () => {
      await shell(PUSH);
      await promote();
    },
    because:
      "GitHub is a folder; the test does what its workflow does then, with a digest in place of an image that Docker builds",
  },
  {
    command: 'eval "$(pulumi stack output --json jobs | jq -r .app.run)"',
    because: "aws is a stand-in that writes down what it is asked for; the test then starts the runner as ECS would",
  },
];

/** What the page says that the push leads to: GitHub builds an image with Docker, pushes it, and deploys it as deploy.yml says. */
async function promote(): Promise<void> {
  const digest = `sha256:${"ab".repeat(32)}`;
  const repository = /^variable set IMAGE_REPOSITORY --body (\S+)$/m.exec(written("gh.said"))?.[1] ?? "";
  expect(repository).toMatch(/\.dkr\.ecr\.eu-central-1\.amazonaws\.com\/provision/);
  await shell(`pulumi config set --stack dev --path provision:aws.image '${repository}@${digest}'`);
  // Terraform's provider itself takes a list.
  if (plugin === "stand-in") await shell("pulumi config rm aws:defaultTags");
  await up("provision", "dev", clone());
}

/** Starts the task that the stand-in for the AWS CLI was asked for, and shows what it has stored. */
async function firstBackup(): Promise<void> {
  const asked = written("aws.said").split("\n");
  const value = (option: string) => asked[asked.indexOf(option) + 1] ?? "";
  expect([...asked.slice(0, 2), value("--region"), value("--task-definition")]).toEqual([
    ...["ecs", "run-task"],
    REGION,
    expect.stringMatching(/^arn:aws:ecs:.*:task-definition\/provision_dev_app_backup:\d+$/),
  ]);
  const { code, stdout, stderr } = await runTask(moto.url, value("--task-definition"), {}, REGION);
  expect(code, stderr + stdout).toBe(0);
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const s3 = new S3({ endpoint: moto.url, region: REGION, forcePathStyle: true, credentials });
  const Bucket = (await shell("pulumi stack output bucket")).trim();
  const keys = ((await s3.listObjectsV2({ Bucket })).Contents ?? []).map(({ Key = "" }) => Key);
  s3.destroy();
  expect(keys.filter((key) => /^dev\/app\/[^/]+\/manifest\.json$/.test(key))).toHaveLength(1);
}

describe("the way from an empty AWS account to the first backup", () => {
  it("is tried with every command of the page, in its order", () => {
    expect(steps.map(({ command }) => command)).toEqual(blocks.flat());
  });

  it("leads there, on the real engine with moto", { timeout: LONG_MS }, async ({ skip }) => {
    if (plugin === undefined) {
      const reason = "Pulumi's aws plugin is neither here nor to be downloaded";
      console.warn(`${PAGE} is not run, as ${reason}.`);
      return skip(reason);
    }
    const account: string[] = [];
    for (const block of blocks) {
      await shell(`cd '${clone()}'`);
      account.push(...(await typedShell.follow(block, steps)));
    }
    const said = written("gh.said");
    for (const name of ["AWS_REGION", "AWS_PREVIEW_ROLE", "AWS_IMAGE_ROLE", "PULUMI_BACKEND_URL"])
      expect(said).toMatch(new RegExp(`^variable set ${name} --body \\S+$`, "m"));
    for (const stack of ["dev", "staging", "prod"])
      expect(said).toMatch(new RegExp(`^variable set AWS_DEPLOY_ROLE --env ${stack} --body arn:aws:iam::`, "m"));
    // The address went to the KMS key of the bootstrap, and nowhere in plain.
    const pushed = await shell("git show origin/main:Pulumi.dev.yaml");
    expect(pushed).toMatch(/secretsprovider: awskms:\/\/alias\/pulumi-secrets/);
    expect(pushed).toMatch(/appDatabaseUrl:\n\s+secure: /);
    expect(pushed).not.toContain(postgres.password);
    await firstBackup();
    console.log(["How the commands were run:", ...account].join("\n"));
  });
});
