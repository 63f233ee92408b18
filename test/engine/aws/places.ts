import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { awsSettings, withSigning } from "../../../components/index.ts";

/** An explicit provider of the stand-in for AWS. */
export function placeProvider(name: string, args: aws.ProviderArgs): aws.Provider {
  const config = new pulumi.Config("aws");
  return new aws.Provider(name, {
    accessKey: config.require("accessKey"),
    secretKey: config.require("secretKey"),
    skipCredentialsValidation: true,
    s3UsePathStyle: true,
    endpoints: config.requireObject<aws.types.input.ProviderEndpoint[]>("endpoints"),
    ...args,
  });
}

/** The settings of one job in an account and a region, with an image of the account's own. */
export function oneJob(
  name: string,
  { region, account = "123456789012" }: { readonly region: string; readonly account?: string },
  bucket: NonNullable<NonNullable<Parameters<typeof awsSettings>[0]["aws"]>["bucket"]>,
) {
  return withSigning(
    awsSettings({
      secrets: { [`${name}Url`]: pulumi.secret("postgres://u:p@db/app") },
      region,
      aws: {
        image: `${account}.dkr.ecr.${region}.amazonaws.com/provision@sha256:${"ab".repeat(32)}`,
        bucket,
        alarms: { emails: ["ops@example.com"] },
      },
      jobs: [
        {
          name,
          schedule: { cron: "0 3 * * *" },
          database: { kind: "postgres", url: { secret: `${name}Url` } },
          destinations: [{ kind: "s3" }],
        },
      ],
    }),
    `${name}-signing`,
  ).settings;
}
