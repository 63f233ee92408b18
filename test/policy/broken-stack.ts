import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** A job as a task gets it; see `JOB_VARIABLE`. */
const job = (changes: object) => JSON.stringify({ name: "app", verify: true, retention: { daily: 7 }, ...changes });

/** A task of a job, whose container has some variables. */
function task(name: string, family: string, environment: Readonly<Record<string, string>>): aws.ecs.TaskDefinition {
  const variables = Object.entries(environment).map(([key, value]) => ({ name: key, value }));
  return new aws.ecs.TaskDefinition(name, {
    family,
    containerDefinitions: JSON.stringify([{ name: "runner", image: "runner", environment: variables }]),
  });
}

function schedule(name: string, definition: aws.ecs.TaskDefinition): void {
  new aws.scheduler.Schedule(name, {
    scheduleExpression: "cron(0 3 * * ? *)",
    flexibleTimeWindow: { mode: "OFF" },
    target: {
      arn: "arn:aws:states:us-east-1:123456789012:stateMachine:run",
      roleArn: "arn:aws:iam::123456789012:role/scheduler",
      input: pulumi.jsonStringify({ taskDefinition: definition.arn }),
    },
  });
}

/** A bucket that breaks no rule but those that `broken` names. */
function bucket(name: string, broken: readonly string[] = [], lockDays = 7): void {
  const key = new aws.kms.Key(`${name}-key`, {}, { protect: !broken.includes("data-protected") });
  const made = new aws.s3.Bucket(name, {}, { protect: !broken.includes("data-protected") });
  const of = { bucket: made.bucket };
  const block = { blockPublicPolicy: true, ignorePublicAcls: true, restrictPublicBuckets: true };
  new aws.s3.BucketPublicAccessBlock(name, { ...of, ...block, blockPublicAcls: !broken.includes("bucket-private") });
  new aws.s3.BucketVersioning(name, {
    ...of,
    versioningConfiguration: { status: broken.includes("bucket-versioned") ? "Suspended" : "Enabled" },
  });
  const encryption = broken.includes("bucket-encrypted")
    ? { sseAlgorithm: "AES256" }
    : { sseAlgorithm: "aws:kms", kmsMasterKeyId: key.arn };
  new aws.s3.BucketServerSideEncryptionConfiguration(name, {
    ...of,
    rules: [{ applyServerSideEncryptionByDefault: encryption }],
  });
  if (broken.includes("bucket-locked")) return;
  new aws.s3.BucketObjectLockConfiguration(name, {
    ...of,
    rule: { defaultRetention: { mode: "GOVERNANCE", days: lockDays } },
  });
}

/** What a secret looks like where it must not be. */
export const PASSWORD = "m4rker-of-a-passw0rd";

/** A stack in which each rule is broken by something that is named after the rule, and by nothing else. */
export function brokenStack(): Promise<void> {
  bucket("private", ["bucket-private"]);
  bucket("versioned", ["bucket-versioned"]);
  bucket("encrypted", ["bucket-encrypted"]);
  bucket("locked", ["bucket-locked"]);
  bucket("protected", ["data-protected"]);
  bucket("too-long", [], 400);

  const verified = { PROVISION_JOB: job({}) };
  schedule("undrilled", task("undrilled", "provision_prod_undrilled_backup", verified));
  schedule("drilled", task("drilled", "provision_prod_drilled_backup", verified));
  schedule("drill", task("drill", "provision_prod_drilled_drill", verified));
  task("unverified", "provision_prod_unverified_backup", { PROVISION_JOB: job({ name: "unverified", verify: false }) });
  task("by-hand", "provision_prod_byhand_backup", verified);
  task("plain", "plain", { DATABASE_URL: `postgres://app:${PASSWORD}@db.example.com/app` });
  task("without-password", "without", { DATABASE_URL: "postgres://app@db.example.com/app" });

  const grant = (name: string, statement: object): void => {
    new aws.iam.RolePolicy(name, {
      role: "role",
      policy: JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", ...statement }] }),
    });
  };
  grant("every-action", { Action: "s3:*", Resource: "arn:aws:s3:::acme/*" });
  grant("every-resource", { Action: ["secretsmanager:GetSecretValue"], Resource: ["*"] });
  grant("pull", { Action: "ecr:GetAuthorizationToken", Resource: "*" });
  grant("narrow", { Action: ["s3:GetObject"], Resource: ["arn:aws:s3:::acme/*"] });
  return Promise.resolve();
}
