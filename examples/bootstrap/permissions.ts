/** Where the roles work, and what there is. */
export interface Place {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
  /** ARN of the bucket with the states. */
  readonly stateArn: string;
  /** ARN of the key of the stacks' secrets. */
  readonly keyArn: string;
  /** ARN of the repository of images. */
  readonly imagesArn: string;
}

interface Statement {
  readonly Effect: "Allow" | "Deny";
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

const document = (...statements: readonly Statement[]) => ({ Version: "2012-10-17", Statement: statements });

const allow = (Action: string[], Resource: string[], Condition?: Statement["Condition"]): Statement => ({
  ...{ Effect: "Allow", Action, Resource },
  ...(Condition !== undefined && { Condition }),
});

/** What roles are of, as it stands in their names before the stack's: a job may be named like another stack. */
const ROLE_KINDS = ["alarms", "holders", "runner", "schedule"];

/** The tag that everything of a stack has. */
const STACK_TAG = "provision:stack";

/** Builds and pushes images, and sees which are there. */
export function image({ imagesArn }: Place) {
  return document(
    // It names no repository: IAM knows it for all only.
    allow(["ecr:GetAuthorizationToken"], ["*"]),
    allow(
      [
        ...["BatchCheckLayerAvailability", "BatchGetImage", "DescribeImages", "GetDownloadUrlForLayer"],
        ...["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"],
      ].map((action) => `ecr:${action}`),
      [imagesArn],
    ),
  );
}

/** What AWS has of the stacks, without any data in it. */
function look(): Statement {
  return allow(
    [
      ...["cloudwatch:Describe*", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource"],
      ...["ec2:Describe*", "ecr:ListImages", "ecs:Describe*", "ecs:ListTagsForResource"],
      ...["events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"],
      ...["iam:GetRole", "iam:GetRolePolicy", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies"],
      ...["iam:ListInstanceProfilesForRole"],
      ...["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListAliases", "kms:ListResourceTags"],
      ...["logs:DescribeLogGroups", "logs:ListTagsForResource"],
      ...["s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration"],
      ...["s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:ListTagsForResource"],
      ...["scheduler:GetSchedule", "scheduler:GetScheduleGroup", "scheduler:ListTagsForResource"],
      ...["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:ListSecrets"],
      ...["sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListTagsForResource", "sns:ListTopics"],
      ...["sqs:GetQueueAttributes", "sqs:ListQueueTags"],
      ...["states:DescribeStateMachine", "states:ListStateMachineVersions", "states:ListTagsForResource"],
      ...["states:ValidateStateMachineDefinition"],
    ],
    ["*"],
  );
}

/** The values of the stacks' secrets, as the policy of each lets those in whom `readers` names. */
function readSecrets(place: Place, stack = "*"): Statement[] {
  const { partition, region, account } = place;
  return [
    allow(
      ["secretsmanager:GetSecretValue"],
      [`arn:${partition}:secretsmanager:${region}:${account}:secret:provision-secrets-${stack}-*`],
    ),
    allow(["kms:Decrypt"], [`arn:${partition}:kms:${region}:${account}:key/*`], {
      StringEquals: { "kms:ViaService": `secretsmanager.${region}.amazonaws.com` },
    }),
  ];
}

/** Reads the states of all stacks and what AWS has of them, and locks a state while it compares the two. */
export function preview(place: Place) {
  const { stateArn, keyArn } = place;
  return document(
    allow(["s3:GetObject"], [`${stateArn}/*`]),
    allow(["s3:PutObject", "s3:DeleteObject"], [`${stateArn}/.pulumi/locks/*`]),
    allow(["kms:Decrypt", "kms:GenerateDataKey"], [keyArn]),
    look(),
    ...readSecrets(place),
  );
}

/**
 * Deploys one stack: makes, changes and removes what bears its name, and writes its state. It can make roles, though none that
 * exceed the boundary, and it can read no backup.
 */
export function deploy(place: Place, stack: string, limitArn: string) {
  const { partition, region, account, stateArn, keyArn } = place;
  const named = (service: string, resource: string) => `arn:${partition}:${service}:${region}:${account}:${resource}`;
  const role = (name: string) => `arn:${partition}:iam::${account}:role/${name}`;
  const roles = ROLE_KINDS.map((kind) => role(`provision-${kind}-${stack}-*`));
  // S3's role has no stack in its name: its tag says whose it is, and nobody sets the tag of another stack's.
  const replica = [role("provision-bucket-replica-*")];
  const bounded = { StringEquals: { "iam:PermissionsBoundary": limitArn } };
  const changes = [
    ...["Delete", "Tag", "Untag", "Update"].map((verb) => `iam:${verb}Role`),
    ...["iam:DeleteRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:UpdateRoleDescription"],
  ];
  const ofStack = { StringEquals: { [`aws:ResourceTag/${STACK_TAG}`]: stack } };
  const forStack = { StringEquals: { [`aws:RequestTag/${STACK_TAG}`]: stack } };
  const states = [
    `stacks/provision/${stack}.json*`,
    ...["history", "backups", "locks/*"].map((kind) => `${kind}/provision/${stack}/*`),
  ].map((path) => `${stateArn}/.pulumi/${path}`);
  return document(
    allow(["s3:GetObject"], [...states, `${stateArn}/.pulumi/meta.yaml`]),
    allow(["s3:PutObject", "s3:DeleteObject"], states),
    allow(["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"], [keyArn]),
    look(),
    ...readSecrets(place, stack),
    // The limit is what keeps a deployment from giving itself more.
    allow(["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"], roles, bounded),
    allow(["iam:CreateRole"], replica, { StringEquals: { ...bounded.StringEquals, ...forStack.StringEquals } }),
    // It is tagged as it is made.
    allow(["iam:TagRole"], replica, {
      StringEquals: forStack.StringEquals,
      StringEqualsIfExists: ofStack.StringEquals,
    }),
    allow(["iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"], replica, {
      StringEquals: { ...bounded.StringEquals, ...ofStack.StringEquals },
    }),
    allow(changes, roles),
    allow(changes, replica, ofStack),
    allow(["iam:PassRole"], [...roles, ...replica], {
      StringEquals: {
        "iam:PassedToService": ["ecs-tasks", "scheduler", "states", "s3"].map((service) => `${service}.amazonaws.com`),
      },
    }),
    allow(
      [
        ...["s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:PutBucket*"],
        ...["s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:PutReplicationConfiguration"],
      ],
      [`arn:${partition}:s3:::provision-${stack}-*`],
    ),
    allow(["kms:CreateKey", "kms:TagResource"], ["*"], forStack),
    allow(
      [
        ...["kms:CreateAlias", "kms:DeleteAlias", "kms:DisableKeyRotation", "kms:EnableKeyRotation"],
        ...["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource"],
        ...["kms:UpdateAlias", "kms:UpdateKeyDescription"],
        // To write secrets and schedules.
        ...["kms:CreateGrant", "kms:Encrypt", "kms:GenerateDataKey"],
      ],
      [`arn:${partition}:kms:*:${account}:key/*`],
      ofStack,
    ),
    allow(["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"], [named("kms", "alias/provision*")]),
    // All that bears the stack's name in its own.
    allow(["secretsmanager:*"], [named("secretsmanager", `secret:provision-secrets-${stack}-*`)]),
    allow(
      ["cloudwatch:*", "ecs:*", "events:*", "logs:*", "scheduler:*", "sns:*", "sqs:*", "states:*"],
      [
        named("cloudwatch", `alarm:provision-*-${stack}-*`),
        // As former versions named it, and with its owner.
        `arn:${partition}:cloudwatch::${account}:dashboard/provision-${stack}-*`,
        `arn:${partition}:cloudwatch::${account}:dashboard/provision_${stack}_*`,
        named("ecs", `cluster/provision-runner-${stack}-*`),
        named("ecs", `task-definition/provision_${stack}_*`),
        named("events", `rule/provision-*-${stack}-*`),
        named("logs", `log-group:provision-runner-${stack}-*`),
        named("scheduler", `schedule/provision-*-${stack}-*/*`),
        named("scheduler", `schedule-group/provision-*-${stack}-*`),
        named("sns", `provision-*-${stack}-*`),
        named("sqs", `provision-*-${stack}-*`),
        named("states", `stateMachine:provision-*-${stack}-*`),
      ],
    ),
    // What AWS lets nobody narrow to a name.
    allow(["ecs:DeregisterTaskDefinition", "ecs:RegisterTaskDefinition"], ["*"]),
    allow(["ec2:CreateSecurityGroup", "ec2:CreateTags"], ["*"]),
    allow(
      ["Authorize", "Revoke"]
        .flatMap((verb) => ["Egress", "Ingress"].map((way) => `ec2:${verb}SecurityGroup${way}`))
        .concat([...["ec2:DeleteSecurityGroup", "ec2:DeleteTags", "ec2:ModifySecurityGroupRules"]]),
      [named("ec2", "security-group/*"), named("ec2", "security-group-rule/*")],
      ofStack,
    ),
  );
}

const deny = (Action: string[], Resource: string[], Condition?: Statement["Condition"]): Statement => ({
  ...allow(Action, Resource, Condition),
  Effect: "Deny",
});

/**
 * What a role of a stack's backups can be allowed: the data and the services of backups, no administration, and nothing of the account's
 * other stacks or of the states.
 */
export function boundary({ partition, account, stateArn }: Place, stack: string, stacks: readonly string[]) {
  const own = `arn:${partition}:iam::${account}:role/provision-runner-${stack}-*`;
  // Whose name the own one begins with would take the own buckets for its own.
  const others = stacks.filter((other) => !`${stack}-`.startsWith(`${other}-`));
  const ofOther = {
    StringNotEquals: { [`aws:ResourceTag/${STACK_TAG}`]: stack },
    Null: { [`aws:ResourceTag/${STACK_TAG}`]: "false" },
  };
  return document(
    allow(
      [
        ...["cloudwatch:PutMetricData", "ecs:DescribeTasks", "ecs:RunTask", "ecs:StopTask", "ecs:TagResource"],
        ...["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken"],
        ...["ecr:GetDownloadUrlForLayer", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*"],
        ...["logs:CreateLogStream", "logs:PutLogEvents", "rds-db:connect"],
        ...["s3:Abort*", "s3:DeleteObject*", "s3:Get*", "s3:List*", "s3:PutObject*", "s3:Replicate*"],
        ...["secretsmanager:GetSecretValue", "sqs:SendMessage", "ssm:GetParameters", "states:StartExecution"],
      ],
      ["*"],
    ),
    allow(["iam:PassRole"], [own], { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } }),
    // A bucket's tags are no condition: its name is.
    deny(["s3:*"], [stateArn, `${stateArn}/*`, ...others.map((other) => `arn:${partition}:s3:::provision-${other}-*`)]),
    deny(["kms:*", "secretsmanager:*", "ecs:RunTask", "states:*", "sqs:*"], ["*"], ofOther),
  );
}
