import { afterAll, describe, expect, it } from "vitest";
import { EngineError, secret, startEngine, type StackConfig } from "../../tools/engine.ts";
import { startMoto } from "../../tools/services/moto.ts";
import { awsCall } from "./aws/call.ts";
import { awsProgram } from "./aws/program.ts";

const engine = await startEngine({ say: () => undefined });
const plugin = await engine.awsPlugin();
if (plugin === undefined) {
  console.warn(
    "Pulumi's aws plugin is neither here nor to be downloaded: what a preview looks up is not tested on it.",
  );
}
afterAll(() => engine.stop());

const [VPC, SUBNET, GROUP] = ["vpc-0a1b2c3d4e5f60718", "subnet-0a1b2c3d4e5f60718", "sg-0a1b2c3d4e5f60718"];
const KEY = "arn:aws:kms:us-east-1:123456789012:key/1a2b3c4d-0000-4000-8000-000000000000";

const job = (name: string, url: object) => ({
  name,
  schedule: { cron: "0 3 * * *" },
  database: { kind: "postgres", url },
  destinations: [{ kind: "s3" }],
});

describe.skipIf(plugin === undefined)("a preview of a stack that takes over what AWS does not have", () => {
  it("ends without a trace where nothing can be made without an answer", { timeout: 240_000 }, async () => {
    const moto = await startMoto();
    try {
      const config = {
        ...moto.config,
        target: "aws",
        secrets: { appUrl: secret("postgres://u:p@db/app") },
        jobs: [job("app", { secret: "appUrl" })],
        aws: {
          image: `ghcr.io/acme/provision@sha256:${"ab".repeat(32)}`,
          network: { vpcId: VPC, subnetIds: [SUBNET], endpoints: true },
        },
      } as StackConfig;
      const stack = await engine.stack({ stack: "endpoints", program: awsProgram(plugin ?? "official"), config });
      const error: unknown = await stack.preview().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(EngineError);
      const { output } = error as EngineError;
      // Some plugins give no reason.
      expect(output).toMatch(new RegExp(`error: AWS says nothing of the subnet ${SUBNET}\\. Check .* The reason: \\S`));
      expect(output).not.toMatch(/^\s+at /m);
    } finally {
      await moto.stop();
    }
  });

  it("warns of each in a line, and goes on", { timeout: 240_000 }, async () => {
    const moto = await startMoto();
    try {
      const { ARN } = await awsCall<{ ARN: string }>(moto.url, "secretsmanager", {
        target: "secretsmanager.CreateSecret",
        body: { Name: "team/url", SecretString: "postgres://db/app", ClientRequestToken: crypto.randomUUID() },
      });
      const config = {
        ...moto.config,
        target: "aws",
        secrets: { appUrl: secret("postgres://u:p@db/app") },
        jobs: [
          job("app", { secret: "appUrl" }),
          job("there", { arn: ARN }),
          job("missing", { arn: ARN.replace("team/url", "team/missing") }),
          job("unset", { ssm: "/team/unset" }),
        ],
        aws: {
          image: `123456789012.dkr.ecr.us-east-1.amazonaws.com/provision@sha256:${"ab".repeat(32)}`,
          alarms: { topicArn: "arn:aws:sns:us-east-1:123456789012:no-such-topic" },
          clusterArn: "arn:aws:ecs:us-east-1:123456789012:cluster/no-such-cluster",
          keyArn: KEY,
          bucket: { existing: "no-such-bucket" },
          network: { vpcId: VPC, subnetIds: [SUBNET], securityGroupIds: [GROUP] },
        },
      } as StackConfig;
      const stack = await engine.stack({ program: awsProgram(plugin ?? "official"), config });
      const { output, summary } = await stack.preview();
      expect(summary.create).toBeGreaterThan(60);
      const warnings = new Set(output.match(/(?<=warning: ).*/g)?.filter((line) => !line.includes(" from $PATH ")));
      expect([...warnings].sort()).toEqual([
        // In one line, and whatever else the account does not answer.
        expect.stringMatching(
          new RegExp(
            "^AWS says nothing of the bucket no-such-bucket, the cluster no-such-cluster, .*" +
              `the key ${KEY}, the parameter /team/unset, .*the topic no-such-topic\\. `,
          ),
        ),
        expect.stringMatching(/^The secret team\/missing-\w{6} /),
        expect.stringContaining(`the security group ${GROUP} does not exist in us-east-1`),
        expect.stringContaining(`the subnet ${SUBNET} does not exist in us-east-1`),
        expect.stringContaining(`the VPC ${VPC} does not exist in us-east-1`),
      ]);
    } finally {
      await moto.stop();
    }
  });
});
