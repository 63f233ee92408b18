import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { PulumiFn } from "@pulumi/pulumi/automation/index.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { outputsOf, secret, startEngine, type EngineStack, type StackConfig } from "../../tools/engine.ts";
import { startMoto, type Moto } from "../../tools/services/moto.ts";
import { awsProgram } from "./aws/program.ts";

const project = join(import.meta.dirname, "../..");
const engine = await startEngine({ say: () => undefined });
const plugin = await engine.awsPlugin();
if (plugin !== "stand-in") {
  console.warn("The state on AWS is one of the Terraform provider, which is not here: its preview is not tested.");
}
afterAll(() => engine.stop());

/** Whatever of the old stack would be removed, or made a second time. */
const TAKEN_AWAY = /delete|replace/;

/** A stack of an earlier commit, whose `pulumi stack export --show-secrets` the fixture is, with places of its machine replaced. */
function formerState(commit: string, target: string, places: Readonly<Record<string, string>> = {}): string {
  const file = join(import.meta.dirname, `former-states/${commit}-${target}.json.gz`);
  const text = gunzipSync(readFileSync(file)).toString();
  return Object.entries(places).reduce((state, [place, own]) => state.replaceAll(place, own), text);
}

const schedule = { cron: "0 3 * * *", timezone: "Europe/Berlin" };
const job = (destination: string) => ({
  name: "app",
  schedule,
  database: { kind: "postgres", url: { secret: "appUrl" } },
  destinations: [{ kind: destination }],
  retention: { last: 7, daily: 14, weekly: 8, monthly: 12 },
  drill: { target: { secret: "drillUrl" }, schedule },
});
const secrets = { appUrl: secret("postgres://u:p@db/app"), drillUrl: secret("postgres://u:p@db/postgres") };

/** What a preview of today's program would do to the state: by operation, each with type and name. */
async function previewOf(stack: EngineStack, state: string): Promise<{ taken: string[]; kept: string[] }> {
  await stack.importState(state);
  const { steps } = await stack.preview();
  const told = steps.map(({ op, type, name }) => `${op} ${type} ${name}`);
  return {
    taken: told.filter((step) => TAKEN_AWAY.test(step)),
    kept: told.filter((step) => !TAKEN_AWAY.test(step)),
  };
}

describe.each([
  { commit: "f0b8aa8", added: ["signing-made", "provision-first-stack"] },
  { commit: "470a858", added: ["provision-first-stack"] },
])("a stack of commit $commit, previewed with the program of today", ({ commit, added }) => {
  const additions = added.map((name) => `create command:local:Command ${name}`);

  it("is changed where it stands on the target host", { timeout: 240_000 }, async () => {
    const config = {
      target: "host",
      secrets,
      host: { directory: "/var/lib/provision/dev", scheduler: "none" },
      jobs: [job("filesystem")],
    } as StackConfig;
    // With a question mark of its own: the other program's evaluations are counted too.
    const program: PulumiFn = async () => outputsOf((await import(`${project}/index.ts?${commit}`)) as object);
    const stack = await engine.stack({ program, config });
    const { taken, kept } = await previewOf(stack, formerState(commit, "host", { "@SOURCE@": project }));
    expect(taken).toEqual([]);
    expect(kept).toEqual(expect.arrayContaining(additions));
  });

  describe.runIf(plugin === "stand-in")("on the target aws", () => {
    let moto: Moto;
    beforeAll(async () => {
      moto = await startMoto();
    });
    afterAll(() => moto.stop());

    it("keeps all but the revisions of its tasks", { timeout: 240_000 }, async () => {
      const text = formerState(commit, "aws", { "http://127.0.0.1:5000": moto.url });
      const subnetIds = [...new Set(text.match(/\bsubnet-[0-9a-f]{17}\b/g))].sort();
      const config = {
        ...moto.config,
        target: "aws",
        secrets,
        aws: {
          image: `123456789012.dkr.ecr.us-east-1.amazonaws.com/provision@sha256:${"ab".repeat(32)}`,
          alarms: { emails: ["dev@example.com"] },
          bucket: { accessLogs: {}, replica: { region: "eu-west-1" } },
          // The default VPC of then, by its ids: this account has another.
          network: { vpcId: /\bvpc-[0-9a-f]{17}\b/.exec(text)?.[0] ?? "", subnetIds, assignPublicIp: true },
        },
        jobs: [job("s3")],
      } as StackConfig;
      const stack = await engine.stack({ program: awsProgram("stand-in"), config });
      const { taken, kept } = await previewOf(stack, text);
      // Of a task's definition each change makes a revision, and former ones stay. What started tasks has made room for a state machine.
      const harmless = / aws:ecs\/taskDefinition:TaskDefinition | provision-schedule-dev-scheduler-\d\d(-policy)?$/;
      expect(taken.filter((step) => !harmless.test(step))).toEqual([]);
      // A job without reports gets nothing of theirs, and a stack without holders none of their roles.
      expect(kept.filter((step) => /report|hold/.test(step))).toEqual([]);
      expect(kept).toEqual(expect.arrayContaining(additions));
    });
  });
});
