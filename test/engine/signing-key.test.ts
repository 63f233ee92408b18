import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BackupHost } from "../../components/host/backup-host.ts";
import { readSettings } from "../../components/settings/settings.ts";
import { JobConfig } from "../../providers/config.ts";
import { outputsOf, secret, startEngine, type Engine, type EngineStack, type StackConfig } from "../../tools/engine.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { registerSecret } from "../../tools/services/known-secrets.ts";

const source = fileURLToPath(new URL("../..", import.meta.url));
const OWN_KEY = "0123456789abcdef".repeat(4);

/** The operation of an engine, with the key command as another version of the program, or of the plugin, may have it. */
type Version = "earlier" | "now" | "later";

let engine: Engine;
let folder: TemporaryFolder;
let stack: EngineStack;
let directory: string;
let version: Version = "now";
let evaluations = 0;
const stored: string[] = [];

/** The program: before there was a key, as it is now, or with another command that makes keys. */
async function program(): Promise<Record<string, unknown>> {
  if (version === "earlier") {
    new BackupHost("host", {
      ...(readSettings() as Extract<ReturnType<typeof readSettings>, { target: "host" }>),
      source,
    });
    return {};
  }
  if (version === "later") {
    pulumi.runtime.registerStackTransformation(({ name, props, opts }) =>
      name === "signing-made"
        ? { props: { ...props, create: "echo another-key", logging: "stderr" }, opts }
        : { props, opts },
    );
  }
  evaluations += 1;
  return outputsOf((await import(/* @vite-ignore */ `${source}/index.ts?run=${evaluations}`)) as object);
}

function configOf(signing?: StackConfig): StackConfig {
  return {
    target: "host",
    secrets: { appUrl: secret("postgres://u:s1gning-m4rker@db/app"), ...(signing && { mine: secret(OWN_KEY) }) },
    jobs: [
      {
        name: "app",
        database: { kind: "postgres", url: { secret: "appUrl" } },
        destinations: [{ kind: "filesystem" }],
      },
    ],
    host: { directory, scheduler: "none" },
    ...(signing && { signing }),
  };
}

beforeAll(async () => {
  engine = await startEngine({ say: () => undefined });
  folder = new TemporaryFolder();
  directory = join(folder.path, "host");
  stack = await engine.stack({ config: configOf(), program });
});
afterAll(async () => {
  await engine.stop();
  folder.remove();
});

async function up(as: Version = "now", config = configOf()): Promise<string[]> {
  version = as;
  await stack.configure(config);
  const { steps, output } = await stack.up();
  stored.push(output, await stack.exportState());
  return steps.filter(({ type }) => type.startsWith("command:")).map(({ op, name }) => `${op} ${name}`);
}

const secrets = () => JSON.parse(readFileSync(join(directory, "secrets.json"), "utf8")) as Record<string, string>;
const key = async () => (await stack.outputs()).signingKey as { value: string; secret: boolean } | undefined;

describe("a stack of a version that had no keys", () => {
  let made: string;

  it("gets one by `up`, in the file of its secrets and in a job's file by its name, and nothing is replaced", async () => {
    await up("earlier");
    expect(Object.keys(secrets())).toEqual(["appUrl"]);
    expect((await up()).sort()).toEqual(["create signing-made", "update host-app-file", "update host-secrets-file"]);
    made = secrets().provisionSigningKey ?? "";
    registerSecret("the stack's signing key", made);
    expect(made).toMatch(/^provision-key-\d{8}T\d{6}Z-[0-9a-f]{64}$/);
    const job = JobConfig.parse(JSON.parse(readFileSync(join(directory, "jobs/app.json"), "utf8")));
    expect(job.signing).toEqual({ key: { secret: "provisionSigningKey" } });
    expect(await key()).toEqual({ value: made, secret: true });
  });

  it("keeps it, whatever the program that makes keys becomes", async () => {
    expect(await up()).toEqual([]);
    expect(await up("later")).toEqual([]);
    expect(await up()).toEqual([]);
    expect(secrets().provisionSigningKey).toBe(made);
  });

  it("shows it nowhere", () => {
    const [, digits = ""] = /([0-9a-f]{64})$/.exec(made) ?? [];
    expect(stored.length).toBeGreaterThan(6);
    for (const text of stored) {
      expect(text).not.toContain(digits);
      expect(text).not.toContain(Buffer.from(digits).toString("base64").slice(4, -4));
    }
  });

  it("takes one that a person gives, and then makes none", async () => {
    const signing = { key: { secret: "mine" } };
    expect((await up("now", configOf(signing))).sort()).toEqual([
      "delete signing-made",
      "update host-app-file",
      "update host-secrets-file",
    ]);
    expect(secrets()).toMatchObject({ mine: OWN_KEY });
    expect(secrets()).not.toHaveProperty("provisionSigningKey");
    await stack.destroy();
  });
});

it("refuses a secret of the made key's name, and a reference to none", async () => {
  version = "now";
  const taken = { ...configOf(), secrets: { appUrl: secret("postgres://u@db/app"), provisionSigningKey: secret("x") } };
  await stack.configure(taken);
  await expect(stack.preview()).rejects.toThrow(/provision:secrets\.provisionSigningKey: .*makes to sign backups/);
  await stack.configure({ ...configOf(), signing: { key: { secret: "absent" } } });
  await expect(stack.preview()).rejects.toThrow(/provision:signing\.key\.secret: the stack has no secret "absent"/);
});
