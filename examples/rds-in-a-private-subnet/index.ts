import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { AwsBackups, awsSettings, withSigning } from "provision";

const config = new pulumi.Config();
const password = config.requireSecret("databasePassword");

// A VPC whose subnets have no way out: their route table is the VPC's main one, which leads nowhere.
const vpc = new aws.ec2.Vpc("main", {
  cidrBlock: "10.20.0.0/16",
  // The endpoints' private names need both.
  enableDnsSupport: true,
  enableDnsHostnames: true,
});
// Fargate is not in all zones; the setting `excludeZoneIds` leaves out those of subnets that tags find.
const zones = aws.getAvailabilityZonesOutput({ state: "available", excludeZoneIds: ["use1-az3"] });
const subnets = [0, 1].map(
  (index) =>
    new aws.ec2.Subnet(`private-${index}`, {
      vpcId: vpc.id,
      cidrBlock: `10.20.${index}.0/24`,
      availabilityZone: zones.names.apply((names) => [...names].sort()[index] ?? ""),
    }),
);

// The database's security group has no rules: `allowTo` adds the one that lets the backups in.
const group = new aws.ec2.SecurityGroup("database", { description: "The database", vpcId: vpc.id });
const subnetGroup = new aws.rds.SubnetGroup("database", { subnetIds: subnets.map(({ id }) => id) });
const database = new aws.rds.Instance("database", {
  engine: "postgres",
  engineVersion: "17",
  instanceClass: "db.t4g.micro",
  allocatedStorage: 20,
  storageEncrypted: true,
  dbName: "app",
  username: "app",
  password,
  dbSubnetGroupName: subnetGroup.name,
  vpcSecurityGroupIds: [group.id],
  publiclyAccessible: false,
  skipFinalSnapshot: true,
});

const { settings, key } = withSigning(
  awsSettings({
    secrets: {
      appUrl: pulumi.interpolate`postgres://app:${password.apply(encodeURIComponent)}@${database.endpoint}/app`,
    },
    aws: {
      image: config.require("image"),
      network: {
        vpcId: vpc.id,
        subnetIds: subnets.map(({ id }) => id),
        allowTo: { securityGroupId: group.id, port: 5432 },
        databases: [{ securityGroupId: group.id, port: 5432 }],
        endpoints: ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "s3"],
      },
      bucket: { objectLock: "off", removeOnDestroy: true, confirmRemoval: pulumi.getStack() },
      secretRecoveryDays: 0,
    },
    jobs: [
      {
        name: "app",
        schedule: { cron: "0 3 * * *" },
        database: { kind: "postgres", url: { secret: "appUrl" } },
        destinations: [{ kind: "s3" }],
        retention: { last: 7, daily: 14 },
      },
    ],
  }),
);
const backups = new AwsBackups("backups", settings);

/** The AWS CLI's commands to back up now, list and restore. */
export const { jobs } = backups;

/** The tasks' security group, for the rules of further databases. */
export const { securityGroupId } = backups;

/** Signs the backups. Keep a copy of it apart from the stack. */
export const signingKey = key;
