import * as pulumi from "@pulumi/pulumi";
import { AwsBackups, awsSettings, withSigning } from "provision";

const config = new pulumi.Config();

const databases = Array.from({ length: 10 }, (_, number) => `shop-${number + 1}`);
const secretOf = (name: string) => `${name.replaceAll("-", "")}Url`;

/** The URL of each database, with the password of a role that they share. */
const urls = databases.map((name) => pulumi.secret(pulumi.interpolate`${config.requireSecret("server")}/${name}`));

const { settings, key } = withSigning(
  awsSettings({
    secrets: Object.fromEntries(databases.map((name, index) => [secretOf(name), urls[index] ?? ""])),
    aws: {
      image: config.require("image"),
      bucket: { objectLock: "off", removeOnDestroy: true, confirmRemoval: pulumi.getStack() },
      secretRecoveryDays: 0,
    },
    jobs: databases.map((name, index) => ({
      name,
      // Ten minutes apart, so that not all read at the same time.
      schedule: { cron: `${(index % 6) * 10} ${2 + Math.floor(index / 6)} * * *` },
      database: { kind: "postgres", url: { secret: secretOf(name) } },
      destinations: [{ kind: "s3" }],
      retention: { last: 7, daily: 14 },
    })),
  }),
);

/** By database, the AWS CLI's commands to back up now, list and restore. */
export const { jobs } = new AwsBackups("backups", settings);

/** Signs the backups. Keep a copy of it apart from the stack. */
export const signingKey = key;
