import { join } from "node:path";
import { S3 } from "@aws-sdk/client-s3";
import { afterAll, describe, expect, it } from "vitest";
import { startEngine } from "../../tools/engine.ts";
import { startMoto } from "../../tools/services/moto.ts";
import { awsProgram } from "./aws/program.ts";

const engine = await startEngine({ say: () => undefined });
const plugin = await engine.awsPlugin();
if (plugin === undefined) {
  console.warn("Pulumi's aws plugin is neither here nor to be downloaded: a stack in two regions is not tested.");
}
afterAll(() => engine.stop());

interface State {
  readonly checkpoint: {
    readonly latest: {
      readonly resources: readonly {
        readonly urn: string;
        readonly type: string;
        readonly outputs?: { readonly arn?: string; readonly region?: string };
      }[];
    };
  };
}

describe.skipIf(plugin === undefined)("one stack with jobs in two regions, by explicit providers", () => {
  it("has everything of each in its own, and copies from the one to the other", { timeout: 400_000 }, async () => {
    const moto = await startMoto();
    try {
      const program = awsProgram(plugin ?? "official", join(import.meta.dirname, "aws/two-regions.ts"));
      // The default provider would work in neither.
      const stack = await engine.stack({ program, config: { ...moto.config, "aws:region": "ap-southeast-2" } });
      expect(Object.keys((await stack.up()).summary)).toEqual(["create"]);

      const { resources } = (JSON.parse(await stack.exportState()) as State).checkpoint.latest;
      const places = resources.flatMap(({ urn, type, outputs }) => {
        const place = outputs?.region ?? outputs?.arn?.split(":")[3] ?? "";
        if (!type.startsWith("aws:") || place === "") return [];
        return [[urn.split("::").at(-1)?.split("-")[0], place].join(" ")];
      });
      expect(places.length).toBeGreaterThan(60);
      expect([...new Set(places)].sort()).toEqual(["copies eu-west-1", "first us-east-1", "second eu-west-1"]);

      const outputs = await stack.outputs();
      const jobs = outputs.jobs?.value as Record<string, { run: string; taskDefinitions: { backup: string } }>;
      expect(jobs.one?.run).toContain(" --region us-east-1 ");
      expect(jobs.two?.run).toContain(" --region eu-west-1 ");
      expect(jobs.two?.taskDefinitions.backup).toMatch(/^arn:aws:ecs:eu-west-1:/);

      const credentials = { accessKeyId: "test", secretAccessKey: "test" };
      const s3 = new S3({ endpoint: moto.url, region: "us-east-1", forcePathStyle: true, credentials });
      const replication = await s3.getBucketReplication({ Bucket: String(outputs.bucket?.value) });
      expect(replication.ReplicationConfiguration?.Rules?.[0]?.Destination?.Bucket).toBe(
        `arn:aws:s3:::${String(outputs.bucketName?.value)}`,
      );
      s3.destroy();
    } finally {
      await moto.stop();
    }
  });
});
