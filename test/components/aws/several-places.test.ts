import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { AwsBackups } from "../../../components/aws/aws-backups.ts";
import { BackupCopyBucket } from "../../../components/aws/backup-copy-bucket.ts";
import { AwsSettings } from "../../../components/aws/settings.ts";
import { app, IMAGE, web } from "../../helpers/aws-jobs.ts";
import { mockEngine, promised, registered } from "../../helpers/mocks.ts";

const names = ["ageIdentity", "appUrl", "drillUrl", "dropboxToken", "sentryDsn"];

function backups(name: string, region: string, network: object, opts: pulumi.ComponentResourceOptions): AwsBackups {
  return new AwsBackups(
    name,
    {
      stack: "prod",
      region,
      aws: AwsSettings.parse({
        image: IMAGE,
        network,
        bucket: { accessLogs: {}, replica: { region: "us-west-2" } },
      }) as AwsSettings,
      jobs: [app, web],
      secrets: Object.fromEntries(names.map((each) => [each, each])),
      jobSecretNames: names,
      source: process.cwd(),
    },
    opts,
  );
}

describe.each([false, true])("one stack in several places (preview: %s)", (preview) => {
  it("hands its provider to every resource, and asks no other about the account", async () => {
    const served: [string, string | undefined][] = [];
    await mockEngine({
      preview,
      calls: {
        "aws:ec2/getVpcs:getVpcs": { ids: ["vpc-1"] },
        "aws:ec2/getSubnets:getSubnets": { ids: ["subnet-a"] },
        "aws:ec2/getSubnet:getSubnet": { id: "subnet-1", vpcId: "vpc-1", availabilityZone: "a" },
        "aws:ec2/getVpc:getVpc": { cidrBlockAssociations: [{ cidrBlock: "10.0.0.0/16" }] },
        "aws:ec2/getRouteTables:getRouteTables": { ids: ["rtb-1"] },
      },
      served: (what, provider) => served.push([what, provider]),
    });
    const one = new aws.Provider("one", { region: "eu-central-1" });
    const two = new aws.Provider("two", { region: "eu-central-1" });
    const private_ = {
      vpcId: "vpc-0a1b2c3d4e5f60718",
      subnetIds: ["subnet-0a1b2c3d4e5f60718"],
      endpoints: true,
      allowTo: { securityGroupId: "sg-0a1b2c3d4e5f60718", port: 5432 },
    };
    const made = [
      backups("first", "eu-central-1", {}, { provider: one }),
      backups("second", "eu-central-1", private_, { providers: { aws: two } }),
      new BackupCopyBucket("copies", { stack: "prod", sourceAccountId: "123456789012" }, { providers: [two] }),
    ];
    await registered(...made);
    const ofAws = served.filter(([what]) => what.startsWith("aws:"));
    const by = (name: string) => ofAws.filter(([, provider]) => provider?.includes(`pulumi:providers:aws::${name}::`));
    expect(ofAws.filter((each) => !by("one").includes(each) && !by("two").includes(each))).toEqual([]);
    // All that the first makes and asks is of one kind or the other, and the second has more of both.
    expect(by("one").length).toBeGreaterThan(80);
    expect(by("two").length).toBeGreaterThan(by("one").length);
    for (const name of ["one", "two"]) {
      const kinds = new Set(by(name).map(([what]) => what.split(":").at(-1)));
      expect([...kinds]).toEqual(
        expect.arrayContaining(["getCallerIdentity", "getRegion", "Bucket", "Role", "Schedule"]),
      );
    }
  });
});

describe("a provider of another region than the settings say", () => {
  it("is refused", async () => {
    await mockEngine({
      calls: { "aws:ec2/getVpcs:getVpcs": { ids: ["vpc-1"] }, "aws:ec2/getSubnets:getSubnets": { ids: ["subnet-a"] } },
    });
    const made = backups("first", "eu-west-1", {}, {});
    await expect(promised(made.region)).rejects.toThrow(
      "first is set up for eu-west-1, and its provider works in eu-central-1. Give awsSettings the region eu-central-1",
    );
  });
});
