import { describe, expect, it } from "vitest";
import { boundary, deploy, image, preview, type Place } from "../../examples/bootstrap/permissions.ts";
import { ACCOUNT, isAllowed } from "../helpers/iam.ts";

const REGION = "eu-central-1";
const STATE = "arn:aws:s3:::pulumi-state-1";
const KEY = `arn:aws:kms:${REGION}:${ACCOUNT}:key/secrets`;
const IMAGES = `arn:aws:ecr:${REGION}:${ACCOUNT}:repository/provision-1`;
const LIMIT = `arn:aws:iam::${ACCOUNT}:policy/provision-boundary-1`;
const place: Place = {
  partition: "aws",
  region: REGION,
  account: ACCOUNT,
  stateArn: STATE,
  keyArn: KEY,
  imagesArn: IMAGES,
};

const limit = boundary(place, "dev", ["dev", "staging", "prod"]);
const policies = { preview: preview(place), image: image(place), deploy: deploy(place, "dev", LIMIT) };
type Role = keyof typeof policies;

/** The policy that AWS gives a key where nobody says otherwise. */
const keyPolicy = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: "kms:*", Resource: "*" }],
};

const arn = (service: string, resource: string) => `arn:aws:${service}:${REGION}:${ACCOUNT}:${resource}`;
const role = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`;
const bounded = { "iam:PermissionsBoundary": LIMIT };
const own = role("provision-runner-dev-app-backup-1a2b3c4");
const replica = role("provision-bucket-replica-role-1a2b3c4");
const passed = { "iam:PassedToService": "ecs-tasks.amazonaws.com" };
const tagged = (stack: string) => ({ "aws:ResourceTag/provision:stack": stack });
const stateOf = (stack: string) => `${STATE}/.pulumi/stacks/provision/${stack}.json`;

/** Something that a role may try, and which may. */
const attempts: readonly (readonly [string, string, Record<string, string>, readonly Role[]])[] = [
  ["s3:GetObject", stateOf("dev"), {}, ["preview", "deploy"]],
  ["s3:PutObject", stateOf("dev"), {}, ["deploy"]],
  ["s3:PutObject", stateOf("prod"), {}, []],
  ["s3:PutObject", stateOf("dev2"), {}, []],
  ["s3:PutObject", `${STATE}/.pulumi/history/provision/dev/dev-1.history.json`, {}, ["deploy"]],
  ["s3:PutObject", `${STATE}/.pulumi/locks/organization/provision/dev/1.json`, {}, ["preview", "deploy"]],
  ["kms:Decrypt", KEY, {}, ["preview", "deploy"]],
  ["kms:Encrypt", KEY, {}, ["deploy"]],
  ["ecr:PutImage", IMAGES, {}, ["image"]],
  ["ecr:PutImage", `${IMAGES}-2`, {}, []],
  ["ecr:BatchDeleteImage", IMAGES, {}, []],
  ["iam:CreateRole", own, bounded, ["deploy"]],
  ["iam:CreateRole", own, {}, []],
  ["iam:PutRolePolicy", own, bounded, ["deploy"]],
  ["iam:PutRolePolicy", own, { "iam:PermissionsBoundary": `arn:aws:iam::${ACCOUNT}:policy/mine` }, []],
  ["iam:CreateRole", role("provision-runner-prod-app-backup-1a2b3c4"), bounded, []],
  ["s3:GetObject", `${STATE}/.pulumi/meta.yaml`, {}, ["preview", "deploy"]],
  ["s3:GetObject", stateOf("prod"), {}, ["preview"]],
  // A job of prod that is named like this stack.
  ["iam:UpdateAssumeRolePolicy", role("provision-runner-prod-dev-backup-1a2b3c4"), {}, []],
  ["iam:CreateRole", replica, { ...bounded, "aws:RequestTag/provision:stack": "dev" }, ["deploy"]],
  ["iam:TagRole", replica, { "aws:RequestTag/provision:stack": "dev" }, ["deploy"]],
  ["iam:TagRole", replica, { "aws:RequestTag/provision:stack": "dev", ...tagged("prod") }, []],
  ["iam:PutRolePolicy", replica, { ...bounded, ...tagged("dev") }, ["deploy"]],
  ["iam:PutRolePolicy", replica, { ...bounded, ...tagged("prod") }, []],
  ["iam:UpdateAssumeRolePolicy", replica, tagged("dev"), ["deploy"]],
  ["iam:UpdateAssumeRolePolicy", replica, tagged("prod"), []],
  ["iam:DeleteRole", replica, tagged("prod"), []],
  ["iam:DeleteRolePermissionsBoundary", own, bounded, []],
  ["iam:AttachRolePolicy", own, bounded, []],
  ["iam:PassRole", own, { "iam:PassedToService": "ecs-tasks.amazonaws.com" }, ["deploy"]],
  ["iam:PassRole", own, { "iam:PassedToService": "ec2.amazonaws.com" }, []],
  ["s3:PutLifecycleConfiguration", "arn:aws:s3:::provision-dev-1", {}, ["deploy"]],
  ["s3:PutLifecycleConfiguration", "arn:aws:s3:::provision-prod-1", {}, []],
  ["s3:GetObject", "arn:aws:s3:::provision-dev-1/dev/app/x/database.dump.zst", {}, []],
  ["s3:DeleteObject", "arn:aws:s3:::provision-dev-1/dev/app/x/database.dump.zst", {}, []],
  ["s3:BypassGovernanceRetention", "arn:aws:s3:::provision-dev-1/dev/app/x/database.dump.zst", {}, []],
  [
    "secretsmanager:PutSecretValue",
    arn("secretsmanager", "secret:provision-secrets-dev-appUrl-1-AbCdEf"),
    {},
    ["deploy"],
  ],
  [
    "secretsmanager:GetSecretValue",
    arn("secretsmanager", "secret:provision-secrets-dev-appUrl-1-AbCdEf"),
    {},
    ["preview", "deploy"],
  ],
  ["secretsmanager:PutSecretValue", arn("secretsmanager", "secret:provision-secrets-prod-appUrl-1-AbCdEf"), {}, []],
  ["secretsmanager:GetSecretValue", arn("secretsmanager", "secret:another-AbCdEf"), {}, []],
  ["states:UpdateStateMachine", arn("states", "stateMachine:provision-schedule-dev-run-1a2b3c4"), {}, ["deploy"]],
  ["states:UpdateStateMachine", arn("states", "stateMachine:provision-schedule-prod-run-1a2b3c4"), {}, []],
  ["logs:DeleteLogGroup", arn("logs", "log-group:provision-runner-prod-app-1"), {}, []],
  ["kms:ScheduleKeyDeletion", KEY, { "aws:ResourceTag/provision:stack": "dev" }, ["deploy"]],
  ["kms:ScheduleKeyDeletion", KEY, {}, []],
  ["ecr:ListImages", IMAGES, {}, ["preview", "deploy"]],
  ["cloudwatch:PutDashboard", "arn:aws:cloudwatch::123456789012:dashboard/provision_dev_provision-x", {}, ["deploy"]],
  ["cloudwatch:PutDashboard", "arn:aws:cloudwatch::123456789012:dashboard/provision_prod_provision-x", {}, []],
  ["sns:ListTopics", "*", {}, ["preview", "deploy"]],
  ["secretsmanager:ListSecrets", "*", {}, ["preview", "deploy"]],
  ["ssm:GetParameter", arn("ssm", "parameter/team/url"), {}, []],
  ["ecs:DescribeClusters", arn("ecs", "cluster/provision-runner-prod-1"), {}, ["preview", "deploy"]],
];

describe("the roles of examples/bootstrap", () => {
  it.each(attempts)("are right about %s on %s with %j: %j", async (action, resource, context, allowed) => {
    const able: string[] = [];
    for (const [name, policy] of Object.entries(policies)) {
      const attempt = { principal: role(name), policy, action, resource, context };
      if (await isAllowed({ ...attempt, ...(resource === KEY && { resourcePolicy: keyPolicy }) })) able.push(name);
    }
    expect(able).toEqual(Object.keys(policies).filter((name) => allowed.includes(name as Role)));
  });

  it("fit into what IAM takes: an inline policy of 10,240 characters, a boundary of 6,144", () => {
    for (const policy of Object.values(policies)) expect(JSON.stringify(policy).length).toBeLessThan(10_240);
    const longest = deploy({ ...place, region: "ap-southeast-2" }, "s".repeat(40), `${LIMIT}-1234567`);
    expect(JSON.stringify(longest).length).toBeLessThan(10_240);
    expect(JSON.stringify(limit).length).toBeLessThan(6_144);
  });

  it.each([
    ["iam:CreateUser", `arn:aws:iam::${ACCOUNT}:user/x`],
    ["iam:PassRole", role("admin")],
    ["s3:PutBucketPolicy", "arn:aws:s3:::provision-dev-1"],
    ["s3:BypassGovernanceRetention", "arn:aws:s3:::provision-dev-1/x"],
    ["sts:AssumeRole", role("admin")],
  ])("bound every role that is made, so that none may do %s", async (action, resource) => {
    expect(await isAllowed({ principal: own, policy: limit, action, resource })).toBe(false);
  });

  it.each<[string, string, Record<string, string>, boolean]>([
    ["s3:GetObject", "arn:aws:s3:::provision-dev-1/x", {}, true],
    ["s3:GetObject", "arn:aws:s3:::provision-prod-1/x", {}, false],
    ["s3:DeleteObject", "arn:aws:s3:::provision-prod-1/x", {}, false],
    ["s3:ListBucket", "arn:aws:s3:::provision-prod-replica-1", {}, false],
    ["s3:GetObject", "arn:aws:s3:::a-bucket-of-yours/x", {}, true],
    ["s3:GetObject", stateOf("prod"), {}, false],
    ["s3:GetObject", stateOf("dev"), {}, false],
    ["secretsmanager:GetSecretValue", arn("secretsmanager", "secret:x-AbCdEf"), tagged("prod"), false],
    ["secretsmanager:GetSecretValue", arn("secretsmanager", "secret:x-AbCdEf"), tagged("dev"), true],
    ["secretsmanager:GetSecretValue", arn("secretsmanager", "secret:of-yours-AbCdEf"), {}, true],
    ["ecs:RunTask", arn("ecs", "task-definition/provision_prod_app_restore:1"), tagged("prod"), false],
    ["states:StartExecution", arn("states", "stateMachine:provision-schedule-prod-run-1"), tagged("prod"), false],
    ["sqs:SendMessage", arn("sqs", "provision-schedule-prod-not-started-1"), tagged("prod"), false],
    ["iam:PassRole", role("provision-runner-prod-app-restore-1"), passed, false],
    ["iam:PassRole", role("provision-runner-dev-app-restore-1"), passed, true],
  ])("bound every role that dev makes: %s on %s with %j is %s", async (action, resource, context, expected) => {
    expect(await isAllowed({ principal: own, policy: limit, action, resource, context })).toBe(expected);
  });
});
