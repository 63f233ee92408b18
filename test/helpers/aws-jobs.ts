import { JobSettings } from "../../providers/config.ts";

/** An existing secret that jobs refer to. */
export const EXISTING_SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:team/web-url";

/** A job with everything: its database in the stack's secrets, two stores, encryption, retention, drills and a monitor. */
export const app = JobSettings.parse({
  name: "app",
  schedule: { cron: "0 3 * * *", timezone: "America/Sao_Paulo" },
  database: { kind: "postgres", url: { secret: "appUrl" } },
  destinations: [
    { kind: "s3" },
    { kind: "dropbox", folder: "/backups", appKey: "abc123def456", refreshToken: { secret: "dropboxToken" } },
  ],
  encryption: {
    recipients: ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"],
    identity: { secret: "ageIdentity" },
  },
  compression: { level: 3, plainSha256: true },
  retention: { daily: 7 },
  prune: { schedule: { cron: "0 5 * * 0" } },
  drill: { schedule: { cron: "0 6 1 * *" }, target: { secret: "drillUrl" } },
  monitor: { kind: "sentry", dsn: { secret: "sentryDsn" } },
});

/** A job with as little as there can be, whose secret is an existing one. */
export const web = JobSettings.parse({
  name: "web",
  database: { kind: "supabase", url: { arn: EXISTING_SECRET }, rootCertificate: "/etc/supabase.crt" },
  destinations: [{ kind: "s3", prefix: "team-a" }],
});

/** The image by its digest, in ECR. */
export const IMAGE = `123456789012.dkr.ecr.eu-central-1.amazonaws.com/provision@sha256:${"0".repeat(64)}`;

const secret = (name: string) => `arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/${name}-AbCdEf`;

/** ARNs of the stack's secrets. */
export const secretArns = Object.fromEntries(
  ["appUrl", "dropboxToken", "ageIdentity", "drillUrl", "sentryDsn"].map((name) => [name, secret(name)]),
);

/** ARN of the stack's key. */
export const KEY = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555";

/** The stack's bucket. */
export const bucket = { name: "prod-backups", keyArn: KEY };
