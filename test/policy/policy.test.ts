import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { policies } from "../../policy/policies.ts";
import { EngineError, secret, startEngine } from "../../tools/engine.ts";
import { startMoto, type Moto } from "../../tools/services/moto.ts";
import { awsProgram } from "../engine/aws/program.ts";
import { brokenStack, PASSWORD } from "./broken-stack.ts";

const pack = fileURLToPath(new URL("../../policy", import.meta.url));
const engine = await startEngine({ say: () => undefined });
const plugin = await engine.awsPlugin();
if (plugin === undefined) console.warn("Pulumi's aws plugin is not here: the policy pack is not tested on the engine.");
afterAll(() => engine.stop());

/** A preview starts the provider and the pack, each some seconds. */
const PREVIEW_MS = 240_000;

const IMAGE = `123456789012.dkr.ecr.us-east-1.amazonaws.com/provision@sha256:${"ab".repeat(32)}`;

interface Violation {
  readonly level: string;
  readonly policy: string;
  readonly resource: string;
  readonly message: string;
}

/** The violations that the CLI prints: a line that names policy and resource, the policy's description, and the message. */
function violationsIn(output: string): Violation[] {
  const lines = output.split("\n").map((line) => line.trim());
  return lines.flatMap((line, index) => {
    const [, level = "", policy = "", resource = ""] = /^- \[(\w+)\] +([\w-]+) +\((.+)\)$/.exec(line) ?? [];
    return policy === "" ? [] : [{ level, policy, resource, message: lines[index + 2] ?? "" }];
  });
}

function messageOf(violations: readonly Violation[], name: string): string | undefined {
  return violations.find(({ resource }) => resource.endsWith(` ${name}`))?.message;
}

describe.skipIf(plugin === undefined)("the policy pack, on the real engine", () => {
  let moto: Moto;

  beforeAll(async () => {
    moto = await startMoto();
  }, PREVIEW_MS);
  afterAll(() => moto.stop());

  async function preview(stack: string, program: () => Promise<unknown>, config: object = {}, file?: string) {
    const made = await engine.stack({ stack, program: program as never, config: { ...moto.config, ...config } });
    const options = { policyPacks: [pack], ...(file !== undefined && { policyPackConfigs: [file] }) };
    return made.preview(options).then(
      ({ output }) => output,
      (error: unknown) => {
        if (error instanceof EngineError) return error.output;
        throw error;
      },
    );
  }

  it(
    "refuses a stack in which each rule is broken, and says where, what and how to mend it",
    async () => {
      const output = await preview("prod", brokenStack);
      const violations = violationsIn(output);
      expect(violations.map(({ policy, resource }) => `${policy}: ${resource}`).sort()).toEqual([
        "backups-drilled: aws:ecs:TaskDefinition: undrilled",
        "backups-verified: aws:ecs:TaskDefinition: unverified",
        "bucket-encrypted: aws:s3:Bucket: encrypted",
        "bucket-locked: aws:s3:Bucket: locked",
        "bucket-private: aws:s3:Bucket: private",
        "bucket-versioned: aws:s3:Bucket: versioned",
        "data-protected: aws:kms:Key: protected-key",
        "data-protected: aws:s3:Bucket: protected",
        "lock-within-retention: aws:s3:Bucket: too-long",
        "no-plain-secret: aws:ecs:TaskDefinition: plain",
        "no-wildcard: aws:iam:RolePolicy: every-action",
        "no-wildcard: aws:iam:RolePolicy: every-resource",
      ]);
      // Every rule is among them, with the value that is wrong and a way to mend it.
      expect(new Set(violations.map(({ policy }) => policy))).toEqual(new Set(policies.map(({ name }) => name)));
      expect(messageOf(violations, "versioned")).toBe(
        "The bucket versioned keeps no versions: the status of its versioning is Suspended. Set Enabled in an aws.s3.BucketVersioning.",
      );
      expect(messageOf(violations, "too-long")).toContain(
        "locks backups for 400 days, and the retention of the job app",
      );
      expect(messageOf(violations, "plain")).toContain(
        "holds a URL with a password in plain. Put it into Secrets Manager",
      );
      expect(output).not.toContain(PASSWORD);
    },
    PREVIEW_MS,
  );

  it(
    "takes a configuration, and asks for a lock and protection in the named stacks alone",
    async () => {
      const file = join(engine.directory, "policy-config.json");
      writeFileSync(file, JSON.stringify({ "backups-drilled": { exempt: ["undrilled"] }, "no-wildcard": "advisory" }));
      const violations = violationsIn(await preview("dev", brokenStack, {}, file));
      const absent = ["backups-drilled", "bucket-locked", "data-protected"];
      expect(new Set(violations.map(({ policy }) => policy))).toEqual(
        new Set(policies.map(({ name }) => name).filter((name) => !absent.includes(name))),
      );
      const levels = violations.filter(({ policy }) => policy === "no-wildcard").map(({ level }) => level);
      expect(new Set(levels)).toEqual(new Set(["advisory"]));
    },
    PREVIEW_MS,
  );

  it(
    "finds nothing in a stack of this project's own",
    async () => {
      const output = await preview("prod", awsProgram(plugin ?? "official"), {
        target: "aws",
        secrets: { appUrl: secret("postgres://u:p@db/app"), drillUrl: secret("postgres://u:p@db/postgres") },
        jobs: [
          {
            name: "app",
            schedule: { cron: "0 3 * * *" },
            database: { kind: "postgres", url: { secret: "appUrl" } },
            destinations: [{ kind: "s3" }],
            retention: { daily: 7 },
            drill: { target: { secret: "drillUrl" }, schedule: { cron: "0 6 * * 0" } },
          },
        ],
        aws: { image: IMAGE, bucket: { protect: true, accessLogs: {}, replica: { region: "eu-west-1" } } },
      });
      expect(violationsIn(output)).toEqual([]);
      expect(output).toMatch(/^ +\+ \d+ to create$/m);
      expect(output).toContain("✅ provision@v0.1.0");
    },
    PREVIEW_MS,
  );
});
