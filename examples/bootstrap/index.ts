import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { boundary, deploy, image, preview, type Place } from "./permissions.ts";

const config = new pulumi.Config();

/** The repository on GitHub whose workflows deploy, for instance `acme/backups`. */
const repository = config.require("repository");

/** The branch that is deployed. */
const branch = config.get("branch") ?? "main";

/** The stacks, each with an environment of that name in the repository. */
const stacks = config.getObject<string[]>("stacks") ?? ["dev", "staging", "prod"];

/** Images that the repository keeps, the newest ones. */
const KEPT_IMAGES = 50;

const ISSUER = "token.actions.githubusercontent.com";

// An account has one provider for an issuer: where there is one, `providerArn` names it.
const providerArn =
  config.get("providerArn") ??
  new aws.iam.OpenIdConnectProvider("github", { url: `https://${ISSUER}`, clientIdLists: ["sts.amazonaws.com"] }).arn;

// What encrypts the stacks' secrets and their state.
const key = new aws.kms.Key("secrets", {
  description: "Secrets in the state of Pulumi's stacks",
  enableKeyRotation: true,
  deletionWindowInDays: 30,
});
const alias = new aws.kms.Alias("secrets", { name: "alias/pulumi-secrets", targetKeyId: key.id });

// The states. A bucket that holds any is not removed.
const state = new aws.s3.Bucket("state", { bucketPrefix: "pulumi-state-" });
const of = { bucket: state.bucket };
new aws.s3.BucketVersioning("state", { ...of, versioningConfiguration: { status: "Enabled" } });
new aws.s3.BucketServerSideEncryptionConfiguration("state", {
  ...of,
  rules: [
    {
      applyServerSideEncryptionByDefault: { sseAlgorithm: "aws:kms", kmsMasterKeyId: key.arn },
      bucketKeyEnabled: true,
    },
  ],
});
const closed = new aws.s3.BucketPublicAccessBlock("state", {
  ...of,
  blockPublicAcls: true,
  blockPublicPolicy: true,
  ignorePublicAcls: true,
  restrictPublicBuckets: true,
});
new aws.s3.BucketPolicy(
  "state",
  {
    ...of,
    policy: pulumi.jsonStringify({
      Version: "2012-10-17",
      Statement: [
        {
          Sid: "DenyWithoutTls",
          Effect: "Deny",
          Principal: "*",
          Action: "s3:*",
          Resource: [state.arn, pulumi.interpolate`${state.arn}/*`],
          Condition: { Bool: { "aws:SecureTransport": "false" } },
        },
      ],
    }),
  },
  { dependsOn: [closed] },
);

// The image's tags are of its content, and never move.
const images = new aws.ecr.Repository("provision", {
  imageTagMutability: "IMMUTABLE",
  imageScanningConfiguration: { scanOnPush: true },
  encryptionConfigurations: [{ encryptionType: "KMS" }],
});
new aws.ecr.LifecyclePolicy("provision", {
  repository: images.name,
  policy: JSON.stringify({
    rules: [
      {
        rulePriority: 1,
        description: "Keeps the newest images",
        selection: { tagStatus: "any", countType: "imageCountMoreThan", countNumber: KEPT_IMAGES },
        action: { type: "expire" },
      },
    ],
  }),
});

const place: pulumi.Output<Place> = pulumi
  .all([
    aws.getPartitionOutput().partition,
    aws.getRegionOutput().region,
    aws.getCallerIdentityOutput().accountId,
    state.arn,
    key.arn,
    images.arn,
  ])
  .apply(([partition, region, account, stateArn, keyArn, imagesArn]) => ({
    ...{ partition, region, account, stateArn, keyArn, imagesArn },
  }));

// What no role that a stack's deployment makes can ever exceed, whatever its policy says.
const limits = new Map(
  stacks.map((stack) => [
    stack,
    new aws.iam.Policy(`provision-boundary-${stack}`, {
      description: `What the roles of the backups of the stack ${stack} can be allowed at most`,
      policy: place.apply((where) => JSON.stringify(boundary(where, stack, stacks))),
    }).arn,
  ]),
);

/** A role that workflows of the repository take, where their token has one of these subjects. */
function role(name: string, subjects: readonly string[], policy: pulumi.Input<object>): pulumi.Output<string> {
  const made = new aws.iam.Role(name, {
    assumeRolePolicy: pulumi.jsonStringify({
      Version: "2012-10-17",
      Statement: [
        {
          Effect: "Allow",
          Principal: { Federated: providerArn },
          Action: "sts:AssumeRoleWithWebIdentity",
          Condition: {
            StringEquals: {
              [`${ISSUER}:aud`]: "sts.amazonaws.com",
              [`${ISSUER}:sub`]: subjects.map((subject) => `repo:${repository}:${subject}`),
            },
          },
        },
      ],
    }),
    maxSessionDuration: 3600,
  });
  // A managed policy holds 6,144 characters; an inline one 10,240.
  new aws.iam.RolePolicy(name, { role: made.name, policy: pulumi.jsonStringify(policy) });
  return made.arn;
}

const ofBranch = `ref:refs/heads/${branch}`;
const previewRole = role("preview", ["pull_request", ofBranch], place.apply(preview));
const imageRole = role("image", [ofBranch], place.apply(image));
const deployRoles = stacks.map((stack) => ({
  stack,
  arn: role(
    `deploy-${stack}`,
    [`environment:${stack}`],
    pulumi.all([place, limits.get(stack) ?? ""]).apply(([where, limitArn]) => deploy(where, stack, limitArn)),
  ),
}));

/** Variables of the repository. */
export const repositoryVariables = {
  AWS_REGION: aws.getRegionOutput().region,
  AWS_PREVIEW_ROLE: previewRole,
  AWS_IMAGE_ROLE: imageRole,
  IMAGE_REPOSITORY: images.repositoryUrl,
  PULUMI_BACKEND_URL: pulumi.interpolate`s3://${state.bucket}`,
};

/** Variables of each environment. */
export const environmentVariables = Object.fromEntries(
  deployRoles.map(({ stack, arn }) => [stack, { AWS_DEPLOY_ROLE: arn }]),
);

/** The same as commands of GitHub's CLI, to be pasted in a clone of the repository. */
export const paste = pulumi
  .all([repositoryVariables, environmentVariables])
  .apply(([ofRepository, ofEnvironments]) =>
    [
      ...Object.entries(ofRepository).map(([name, value]) => `gh variable set ${name} --body '${value}'`),
      ...Object.entries(ofEnvironments).flatMap(([stack, { AWS_DEPLOY_ROLE }]) => [
        `gh api --silent --method PUT 'repos/${repository}/environments/${stack}'`,
        `gh variable set AWS_DEPLOY_ROLE --env ${stack} --body '${AWS_DEPLOY_ROLE}'`,
      ]),
    ].join("\n"),
  );

/** For `pulumi stack init --secrets-provider`. */
export const secretsProvider = pulumi.interpolate`awskms://${alias.name}?region=${aws.getRegionOutput().region}`;

/** What each stack's `provision:aws` has to say, without which the roles that deploy may make no role. */
export const settings = {
  permissionsBoundary: Object.fromEntries(limits),
  readers: Object.fromEntries(deployRoles.map(({ stack, arn }) => [stack, [arn, previewRole]])),
};
