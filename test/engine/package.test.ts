import { execFile, execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { secret, startEngine, type Engine, type EngineStack, type StackConfig } from "../../tools/engine.ts";
import { startMoto, type Moto } from "../../tools/services/moto.ts";
import { PackedProject } from "../helpers/packed.ts";
import { awsProgram } from "./aws/program.ts";

/** A test waits for the engine several times, and for a build. */
const LONG_MS = 600_000;

const IMAGE = `123456789012.dkr.ecr.us-east-1.amazonaws.com/provision@sha256:${"ab".repeat(32)}`;

const run = promisify(execFile);

let project: PackedProject;
let engine: Engine;
beforeAll(async () => {
  project = new PackedProject();
  engine = await startEngine({ say: () => undefined });
}, LONG_MS);
afterAll(async () => {
  await engine.stop();
  project.remove();
});

/** Deploys, deploys again, and tears down; prints how long each took. */
async function cycle(name: string, stack: EngineStack, between: () => Promise<void>): Promise<void> {
  const seconds: string[] = [];
  const timed = async <T>(what: string, work: Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await work;
    seconds.push(`${what} ${((performance.now() - start) / 1000).toFixed(1)} s`);
    return result;
  };
  const first = await timed("up", stack.up());
  expect(Object.keys(first.summary)).toEqual(["create"]);
  await between();
  expect((await timed("second up", stack.up())).steps).toEqual([]);
  const { summary } = await timed("destroy", stack.destroy());
  expect(Object.keys(summary)).toEqual(["delete"]);
  console.log(`examples/${name}: ${first.summary.create ?? 0} resources, ${seconds.join(", ")}`);
}

describe("the package, in an empty project", () => {
  it("deploys nothing when it is imported", () => {
    const names = `console.log(Object.keys(await import("provision")).sort().join())`;
    const stdout = execFileSync(process.execPath, ["--input-type=module", "-e", names], {
      cwd: project.path,
      encoding: "utf8",
    });
    expect(stdout.trim().split(",")).toEqual(
      expect.arrayContaining([
        "AwsBackups",
        "BackupBucket",
        "BackupHost",
        "BackupRunner",
        "awsSettings",
        "hostSettings",
      ]),
    );
  });

  it("has JavaScript, its types, and nothing of the project's tests and tools", () => {
    const files = readdirSync(project.package, { recursive: true, encoding: "utf8" });
    expect(files.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))).toEqual([]);
    expect(files).toEqual(expect.arrayContaining(["dist/components/index.js", "dist/components/index.d.ts"]));
    expect(files.filter((file) => /^(dist\/)?(test|tools|docs)\b/.test(file))).toEqual([]);
  });

  it("brings a machine or an image all that the runner needs", async () => {
    const built = join(project.package, "dist");
    const { OWN_FOLDER, runnerFiles } = (await import(
      /* @vite-ignore */ pathToFileURL(join(built, "components/runner-files.js")).href
    )) as typeof import("../../components/runner-files.ts");
    expect(OWN_FOLDER).toBe(built);
    const files = runnerFiles(OWN_FOLDER);
    expect(Object.keys(files)).toEqual(
      expect.arrayContaining([
        "package.json",
        "package-lock.json",
        "runner/cli.js",
        "runner/compile.js",
        "runner/main.js",
      ]),
    );
    expect(Object.keys(files).filter((name) => name.endsWith(".ts"))).toEqual([]);
    expect(existsSync(join(built, "Dockerfile")) && existsSync(join(built, ".dockerignore"))).toBe(true);
  });

  it("has the command line", async () => {
    const { stdout } = await run(process.execPath, [join(project.package, "runner/cli.js"), "--help"]);
    expect(stdout).toMatch(/^Usage: provision /m);
  });
});

describe("the examples, with the package", () => {
  it("a host", { timeout: LONG_MS }, async () => {
    const config: StackConfig = {
      appUrl: secret("postgres://u:p@db/app"),
      directory: join(project.path, "host-folder"),
      scheduler: "none",
    };
    const stack = await engine.stack({ project: "host", program: project.example("host"), config });
    await cycle("host", stack, async () => {
      const jobs = (await stack.outputs()).jobs?.value as Record<string, { readonly list: string }>;
      expect(jobs.app?.list).toContain(join(project.package, "dist/runner/cli.js"));
      const { stdout } = await run("/bin/sh", ["-c", jobs.app?.list ?? "false"]);
      expect(stdout).toContain(": 0 backups");
    });
  });

  describe("on AWS", () => {
    let moto: Moto;
    let plugin: Awaited<ReturnType<Engine["awsPlugin"]>>;
    beforeAll(async () => {
      plugin = await engine.awsPlugin();
      moto = await startMoto();
    }, LONG_MS);
    afterAll(() => moto.stop());

    const ON_AWS = [
      ["existing-bucket", { appUrl: secret("postgres://u:p@db/app") }, ["app"]],
      ["rds-in-a-private-subnet", { databasePassword: secret("p/w") }, ["app"]],
      ["ten-databases", { server: secret("postgres://u:p@db") }, Array.from({ length: 10 }, (_, n) => `shop-${n + 1}`)],
    ] as const;

    it("bootstrap", { timeout: LONG_MS }, async ({ skip }) => {
      if (plugin === undefined) return skip("Pulumi's aws plugin is neither here nor to be downloaded");
      const config = { ...moto.config, repository: "acme/backups", stacks: ["dev", "prod"] } as unknown as StackConfig;
      const program = awsProgram(plugin, project.example("bootstrap"));
      const stack = await engine.stack({ project: "bootstrap", program, config });
      await cycle("bootstrap", stack, async () => {
        const outputs = await stack.outputs();
        const paste = String(outputs.paste?.value).split("\n");
        for (const name of ["AWS_PREVIEW_ROLE", "AWS_IMAGE_ROLE", "IMAGE_REPOSITORY", "PULUMI_BACKEND_URL"]) {
          expect(paste.filter((line) => line.startsWith(`gh variable set ${name} --body '`))).toHaveLength(1);
        }
        expect(
          paste.filter((line) => /AWS_DEPLOY_ROLE --env (dev|prod) --body 'arn:aws:iam::/.test(line)),
        ).toHaveLength(2);
        expect(String(outputs.secretsProvider?.value)).toMatch(/^awskms:\/\/alias\/pulumi-secrets\?region=us-east-1$/);
      });
    });

    it.for(ON_AWS)("%s", { timeout: LONG_MS }, async ([name, own, jobs], { skip }) => {
      if (plugin === undefined) {
        const reason = "Pulumi's aws plugin is neither here nor to be downloaded";
        console.warn(`Left out, as ${reason}.`);
        return skip(reason);
      }
      const config = { ...moto.config, ...own, image: IMAGE } as StackConfig;
      const stack = await engine.stack({ project: name, program: awsProgram(plugin, project.example(name)), config });
      await cycle(name, stack, async () => {
        const outputs = await stack.outputs();
        expect(Object.keys(outputs.jobs?.value as object).sort()).toEqual([...jobs].sort());
        expect(outputs.signingKey?.secret).toBe(true);
      });
    });
  });
});
