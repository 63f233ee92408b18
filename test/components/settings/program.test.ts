import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, it } from "vitest";
import { awsSettings, hostSettings, type AwsProgramSettings } from "../../../components/settings/program.ts";
import { SIGNING_KEY, withSigning } from "../../../components/signing-key.ts";
import { mockEngine, promised, unwrap } from "../../helpers/mocks.ts";

const IMAGE = `123456789012.dkr.ecr.eu-central-1.amazonaws.com/provision@sha256:${"ab".repeat(32)}`;

const written = (aws: AwsProgramSettings["aws"] = { image: IMAGE }): AwsProgramSettings => ({
  secrets: { appUrl: pulumi.secret("postgres://u:p@db/app") },
  region: "eu-central-1",
  aws,
  jobs: [
    {
      name: "app",
      database: { kind: "postgres", url: { secret: "appUrl" } },
      destinations: [{ kind: "s3" }],
    },
  ],
});

beforeEach(async () => {
  await mockEngine();
});

describe("awsSettings", () => {
  it("fills in what the configuration would, and takes the stack's name", async () => {
    const settings = awsSettings(written());
    expect(settings).toMatchObject({ target: "aws", stack: "dev", region: "eu-central-1", jobSecretNames: ["appUrl"] });
    expect(settings.aws).toMatchObject({ image: IMAGE, architecture: "arm64", logs: { retentionDays: 365 } });
    expect(settings.jobs[0]).toMatchObject({ name: "app", timeoutMinutes: 1440 });
    expect(await unwrap(pulumi.output(settings.secrets))).toEqual({ appUrl: "postgres://u:p@db/app" });
  });

  it("takes roles, and a bucket to copy to, that other resources make", async () => {
    const role = "arn:aws:iam::123456789012:role/made";
    const bucketArn = "arn:aws:s3:::copies";
    const OTHER = "210987654321";
    const keyArn = `arn:aws:kms:eu-central-1:${OTHER}:key/1`;
    const { aws } = awsSettings(
      written({
        image: IMAGE,
        roles: { scheduler: pulumi.output(role), jobs: { app: { backup: pulumi.output(role) } } },
        network: {
          vpcId: "vpc-0a1b2c3d4e5f60718",
          subnetIds: ["subnet-0a1b2c3d4e5f60718"],
          https: [{ prefixListId: pulumi.output("pl-0a1b2c3d") }],
        },
        bucket: {
          replica: {
            bucketArn: pulumi.output(bucketArn),
            keyArn: pulumi.output(keyArn),
            accountId: pulumi.output(OTHER),
          },
        },
      }),
    );
    const { roles, bucket, network } = aws;
    expect(await promised(pulumi.output([roles, bucket.replica, network.https]))).toEqual([
      { scheduler: role, jobs: { app: { backup: role } } },
      { bucketArn, keyArn, accountId: OTHER },
      [{ prefixListId: "pl-0a1b2c3d" }],
    ]);
    const wrong = awsSettings(written({ image: IMAGE, roles: { scheduler: pulumi.output("made") } }));
    await expect(promised(pulumi.output(wrong.aws.roles))).rejects.toThrow(
      "aws.roles.scheduler: expected the ARN of a role",
    );
  });

  it("takes outputs where other resources make something, and keeps the rest", async () => {
    const { aws } = awsSettings(
      written({
        image: pulumi.output(IMAGE),
        bucket: { existing: pulumi.output("team-backups") },
        network: {
          vpcId: pulumi.output("vpc-0a1b2c3d4e5f60718"),
          subnetIds: [pulumi.output("subnet-0a1b2c3d4e5f60718")],
          securityGroupIds: pulumi.output(["sg-0a1b2c3d4e5f60718"]),
          allowTo: { securityGroupId: pulumi.output("sg-11111111111111111"), port: 5432 },
        },
        clusterArn: pulumi.output("arn:aws:ecs:eu-central-1:123456789012:cluster/shared"),
        logs: { group: pulumi.output("/platform/backups") },
        alarms: { topicArn: pulumi.output("arn:aws:sns:eu-central-1:123456789012:ops"), graceHours: 5 },
      }),
    );
    expect(aws.alarms.graceHours).toBe(5);
    const { image, bucket, network, alarms, clusterArn, logs } = aws;
    expect(await promised(pulumi.output([network.securityGroupIds, network.allowTo, clusterArn, logs.group]))).toEqual([
      ["sg-0a1b2c3d4e5f60718"],
      { securityGroupId: "sg-11111111111111111", port: 5432 },
      "arn:aws:ecs:eu-central-1:123456789012:cluster/shared",
      "/platform/backups",
    ]);
    expect(
      await promised(pulumi.output([image, bucket.existing, network.vpcId, network.subnetIds, alarms.topicArn])),
    ).toEqual([
      IMAGE,
      "team-backups",
      "vpc-0a1b2c3d4e5f60718",
      ["subnet-0a1b2c3d4e5f60718"],
      "arn:aws:sns:eu-central-1:123456789012:ops",
    ]);
  });

  it("takes a database's group and range of addresses as outputs", async () => {
    const group = "sg-0a1b2c3d4e5f60718";
    const databases = [
      { securityGroupId: pulumi.output(group), port: 5432 },
      { cidr: pulumi.output("10.0.0.0/16"), port: 6432 },
    ];
    const { aws } = awsSettings(written({ image: IMAGE, network: { databases } }));
    expect(await promised(pulumi.output(aws.network.databases))).toEqual([
      { securityGroupId: group, port: 5432 },
      { cidr: "10.0.0.0/16", port: 6432 },
    ]);
    const wrong = awsSettings(
      written({ image: IMAGE, network: { databases: [{ cidr: pulumi.output("all"), port: 1 }] } }),
    );
    await expect(promised(wrong.aws.network.databases?.[0]?.cidr)).rejects.toThrow(/expected a range of IPv4 or IPv6/);
  });

  it("checks an output once it is known, by the rules of the configuration", async () => {
    const { aws } = awsSettings(written({ image: pulumi.output("provision:latest") }));
    await expect(promised(aws.image)).rejects.toThrow(/^aws\.image: .*names the image by the tag latest/);
  });

  it("takes the address and the key of a machine that another resource makes", async () => {
    const { secrets = {}, jobs } = written();
    const onHost = jobs.map((job) => ({ ...job, destinations: [{ kind: "filesystem" as const }] }));
    const settings = (host: string) =>
      hostSettings({
        secrets,
        jobs: onHost,
        host: { connection: { host: pulumi.output(host), hostKey: pulumi.output("ssh-ed25519 AAAA") } },
      }).host;
    const { connection } = settings("10.0.0.7");
    expect(connection?.user).toBe("root");
    expect(await promised(pulumi.output([connection?.host, connection?.hostKey]))).toEqual([
      "10.0.0.7",
      "ssh-ed25519 AAAA",
    ]);
    await expect(promised(pulumi.output(settings("10.0.0.7; true").connection?.host))).rejects.toThrow(
      "host.connection.host: ",
    );
  });

  it("refuses an output that decides which resources there are", () => {
    const bucket = { accessLogs: pulumi.output({}) } as unknown as { accessLogs: object };
    expect(() => awsSettings(written({ image: IMAGE, bucket }))).toThrow(/^aws\.bucket\.accessLogs: this decides/);
  });

  it("lists all that is wrong, in the program's own words", () => {
    const wrong = { ...written({ logs: { retentionDays: 2 } }), secrets: {} };
    expect(() => awsSettings(wrong)).toThrow(
      /^jobs\[0\]\.database\.url\.secret: .*no secret "appUrl"[^]*aws\.logs\.retentionDays: |aws\.logs\.retentionDays: [^]*jobs\[0\]/m,
    );
  });
});

describe("hostSettings", () => {
  it("makes what BackupHost takes, which withSigning completes with a key of a name of its own", () => {
    const { secrets = {}, jobs } = written();
    const onHost = jobs.map((job) => ({ ...job, destinations: [{ kind: "filesystem" as const }] }));
    const { settings, key } = withSigning(hostSettings({ secrets, jobs: onHost }), "mine");
    expect(settings.host.directory).toBe("/var/lib/provision/dev");
    expect(settings.jobs[0]?.signing).toEqual({ key: { secret: SIGNING_KEY } });
    expect(Object.keys(settings.secrets)).toContain(SIGNING_KEY);
    expect(key).toBeDefined();
  });
});
