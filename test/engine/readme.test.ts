import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { LocalWorkspace, PulumiCommand } from "@pulumi/pulumi/automation/index.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkSettings } from "../../components/settings/rules.ts";
import { compareDatabases } from "../../tools/compare-databases.ts";
import { outputsOf, startEngine, type Engine } from "../../tools/engine.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { ROOT } from "../../tools/tests/imports.ts";
import { emptyDatabase } from "../helpers/databases.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { type Step, typedBlocks, TypedShell } from "../helpers/typed-shell.ts";

const LONG_MS = 200_000;
const SECRET = "pulumi config set --secret --path 'provision:secrets.appDatabaseUrl'";

const blocks = typedBlocks("README.md");
/** The commands of the block that makes a stack. */
const making = (stack: string) => blocks.find((block) => block.includes(`pulumi stack init ${stack}`)) ?? [];

let engine: Engine;
let folder: TemporaryFolder;
let postgres: Postgres;
let shell: TypedShell;
let environment: Record<string, string>;
const clone = () => join(folder.path, "clone");
const directory = () => join(folder.path, "backups");

beforeAll(async () => {
  engine = await startEngine({ say: () => undefined });
  folder = new TemporaryFolder();
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 1 });
  for (const name of ["home", "states", "clone"]) mkdirSync(join(folder.path, name));
  environment = {
    PATH: [engine.cli, join(engine.directory, "plugin"), process.env.PATH].join(delimiter),
    HOME: join(folder.path, "home"),
    PULUMI_HOME: join(engine.directory, "home"),
    PULUMI_BACKEND_URL: pathToFileURL(join(folder.path, "states")).href,
    PULUMI_CONFIG_PASSPHRASE: crypto.randomUUID(),
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
  for (const name of ["Pulumi.yaml", "Pulumi.host.yaml", "Pulumi.dev.yaml"])
    cpSync(join(ROOT, name), join(clone(), name));
  // The CLI checks that it is there; the program that runs is this project's.
  writeFileSync(join(clone(), "index.ts"), "");
  shell = new TypedShell(folder.path, folder.path, environment);
}, LONG_MS);
afterAll(async () => {
  await Promise.all([engine.stop(), postgres.stop()]);
  folder.remove();
});

/** `pulumi up` of the stack `host`, in a folder of the test's own, with no timer on this machine. */
async function up(): Promise<void> {
  await shell.run(`pulumi config set --path provision:host.directory '${directory()}'`);
  await shell.run("pulumi config set --path provision:host.scheduler none");
  const program = async () => outputsOf((await import(join(ROOT, "index.ts"))) as object);
  const stack = await LocalWorkspace.selectStack(
    { projectName: "provision", stackName: "host", program },
    {
      workDir: clone(),
      envVars: environment,
      pulumiCommand: await PulumiCommand.get({ root: join(engine.cli, ".."), skipVersionCheck: true }),
    },
  );
  const { summary } = await stack.up({ color: "never" });
  expect(Object.keys(summary.resourceChanges ?? {})).toEqual(["create"]);
}

// No output shows it: the CLI reads it as it reads what a person types.
const typesUrl = () => shell.run(SECRET, `${postgres.url("shop")}\n`);

const onHost: readonly Step[] = [
  {
    command: "git clone https://github.com/<owner>/provision && cd provision && npm ci",
    instead: () => shell.run(`cd '${clone()}'`),
    because: "the clone is a folder with the project's files, and its packages are those of this checkout",
  },
  { command: "pulumi stack init host" },
  { command: SECRET, instead: typesUrl },
  {
    command: "npm exec -c 'pulumi up'",
    instead: up,
    because: "Pulumi's language host for Node.js is in its official download alone: the program runs in the test",
  },
  { command: "pulumi stack output jobs" },
];

const onAws: readonly Step[] = [
  { command: "pulumi stack init dev" },
  { command: SECRET, instead: typesUrl },
  { command: "pulumi config set --path 'provision:aws.alarms.emails[0]' you@example.com" },
  { command: "pulumi config set --path 'provision:aws.build.keepImages' 10" },
  {
    command: "npm exec -c 'pulumi preview && pulumi up'",
    instead: () => Promise.resolve(),
    because: "the image needs Docker; test/engine/first-backup.test.ts deploys this stack with another image",
  },
];

describe("the README, from nothing to a nightly backup", () => {
  it("is tried with every command, in its order", () => {
    expect([making("host"), making("dev")]).toEqual(
      [onHost, onAws].map((steps) => steps.map(({ command }) => command)),
    );
  });

  it("on a host leads to a backup that is verified, and can be restored", { timeout: LONG_MS }, async () => {
    const account = await shell.follow(making("host"), onHost);
    const { app } = JSON.parse(await shell.run("pulumi stack output jobs --json")) as Record<
      string,
      Readonly<Record<"run" | "list" | "verify" | "restore", string>>
    >;
    await shell.run(app?.run ?? "false");
    expect(await shell.run(app?.list ?? "false")).toMatch(/ {2}verified /);
    expect(await shell.run(app?.verify ?? "false")).toContain("verified: read in full");
    await shell.run(`umask 077; cat > '${directory()}/target-url'`, await emptyDatabase(postgres, "restored"));
    await shell.run(app?.restore ?? "false");
    const { tables, differences } = await compareDatabases(postgres.url("shop"), postgres.url("restored"));
    expect(differences).toEqual([]);
    expect(tables.length).toBeGreaterThan(10);
    console.log(["How the commands were run:", ...account].join("\n"));
  });

  it("on AWS leads to a configuration that a preview takes", { timeout: LONG_MS }, async () => {
    await shell.run(`cd '${clone()}'`);
    const account = await shell.follow(making("dev"), onAws);
    const config = JSON.parse(await shell.run("pulumi config --json")) as Readonly<
      Record<string, { readonly value?: string; readonly objectValue?: unknown; readonly secret: boolean }>
    >;
    const values = Object.entries(config)
      .filter(([key]) => key.startsWith("provision:"))
      .map(([key, { value, objectValue }]): [string, string] => [
        key.slice("provision:".length),
        value ?? JSON.stringify(objectValue),
      ]);
    const secrets = JSON.stringify({ appDatabaseUrl: "x" });
    const { settings, problems, warnings } = checkSettings({
      stack: "dev",
      values: new Map([...values, ["secrets", secrets]]),
      region: config["aws:region"]?.value,
      isSecret: () => true,
    });
    expect([problems, warnings]).toEqual([[], []]);
    expect(settings).toMatchObject({ target: "aws", aws: { alarms: { emails: ["you@example.com"] } } });
    console.log(["How the commands were run:", ...account].join("\n"));
  });
});
