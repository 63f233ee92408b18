import * as pulumi from "@pulumi/pulumi";
import type { JobSettings } from "../../providers/config.ts";
import { callerAccount } from "./aws-account.ts";
import { neededServices, usesOnlyEndpoints } from "./aws-backups/only-endpoints.ts";
import { lookUpBucket, lookUpReplica, ownReplica } from "./look-ups/bucket.ts";
import { lookUpNetwork } from "./look-ups/network.ts";
import { Questions } from "./look-ups/questions.ts";
import { lookUpSecrets } from "./look-ups/secrets.ts";
import type { AwsArgs } from "./settings.ts";
import * as aws from "@pulumi/aws";
import { plain, plainList } from "./look-ups/plain.ts";
import { ARCHITECTURES, platformOf } from "./backup-image/platform.ts";
import { repositoryArnOf } from "./backup-image/image-reference.ts";
import { tagEnd } from "./backup-image/build-script.ts";
import { JOB_ROLES } from "./settings/roles.ts";

/** Whether the existing roles exist, in this account: ECS and the scheduler take no others. */
async function lookUpRoles(
  questions: Questions,
  { roles: { scheduler, stateMachine, jobs = {}, ...all } }: Pick<AwsArgs, "roles">,
  account: string | undefined,
): Promise<void> {
  const named = [all, ...Object.values(jobs)].flatMap((roles) => JOB_ROLES.map((role) => roles[role]));
  const arns = new Set([scheduler, stateMachine, ...named].flatMap((arn) => plain(arn) ?? []));
  await Promise.all(
    [...arns].map(async (arn) => {
      const owner = ownerOf(arn);
      if (account !== undefined && owner !== account) {
        questions.warn(
          `roles: ${arn} is of the account ${owner}, and tasks of ${account} take roles of their own account alone.`,
        );
        return;
      }
      await askForRole(questions, arn);
    }),
  );
}

/** Whether the roles of those who may hold backups exist, as far as they are of this account: IAM lets no role trust one that does not. */
async function lookUpHolders(
  questions: Questions,
  { holders = [] }: Pick<AwsArgs, "holders">,
  account: string | undefined,
): Promise<void> {
  const own = holders.filter((arn) => arn.includes(":role/") && ownerOf(arn) === account);
  await Promise.all([...new Set(own)].map((arn) => askForRole(questions, arn)));
}

/** The account that has a role. */
function ownerOf(arn: string): string {
  return arn.split(":")[4] ?? "";
}

async function askForRole(questions: Questions, arn: string): Promise<void> {
  const name = arn.split("/").at(-1) ?? "";
  await questions.ask(`the role ${name}`, () => aws.iam.getRole({ name }, questions.opts));
}

/**
 * Whether the repository and in it the image exist, where that is in ECR, and whether the image is for the tasks' processor. Of that
 * ECR says nothing, but a tag that our own build gave the image ends with it.
 */
async function lookUpImage(questions: Questions, { image, architecture }: AwsArgs): Promise<void> {
  const reference = plain(image) ?? "";
  const [, , , region = "", registryId = "", resource = ""] = repositoryArnOf(reference)?.split(":") ?? [];
  if (resource === "") return;
  const repositoryName = resource.slice("repository/".length);
  const digest = reference.split("@")[1];
  const found = await questions.ask(`the image repository ${repositoryName}`, async () => {
    return (await aws.ecr.getImages({ region, registryId, repositoryName }, questions.opts)).imageIds.filter(
      ({ imageDigest }) => imageDigest === digest,
    );
  });
  if (found === undefined) return;
  if (found.length === 0) {
    questions.warn(
      `image: the repository ${repositoryName} of the account ${registryId} in ${region} has no image ${digest ?? ""}; no task starts without it. ` +
        "Push it, or name another: aws ecr describe-images --repository-name " +
        `${repositoryName} --region ${region} --query 'imageDetails[].[imageDigest,imageTags]'`,
    );
  }
  const tags = found.flatMap(({ imageTag = "" }) => imageTag);
  const made = ARCHITECTURES.filter((each) => tags.some((tag) => tag.endsWith(tagEnd(platformOf(each)))));
  const [other] = made;
  if (other !== undefined && !made.includes(architecture)) {
    questions.warn(
      `image: it is made for ${other}, and the tasks have ${architecture} (architecture): none starts. Set provision:aws.architecture to ` +
        `${other}, or build the image for ${architecture}: node tools/push-image.ts REPOSITORY ${architecture}`,
    );
  }
}

/** Whether the existing cluster is in this account and takes tasks. That it is in the stack's region is a rule of the settings. */
async function lookUpCluster(
  questions: Questions,
  { clusterArn }: Pick<AwsArgs, "clusterArn">,
  account: string | undefined,
): Promise<void> {
  const arn = plain(clusterArn);
  if (arn === undefined) return;
  const owner = arn.split(":")[4];
  if (account !== undefined && owner !== account) {
    questions.warn(
      `clusterArn: ${arn} is of the account ${owner ?? ""}, and tasks of ${account} run in clusters of their own account alone.`,
    );
    return;
  }
  const clusterName = arn.split("/").at(-1) ?? "";
  const status = await questions.ask(
    `the cluster ${clusterName}`,
    async () => (await aws.ecs.getCluster({ clusterName }, questions.opts)).status,
  );
  if (status === undefined || status === "ACTIVE") return;
  questions.warn(
    `clusterArn: the cluster ${clusterName} is not active (${status}), and no task starts in it. Name another, or let the stack make ` +
      "one: pulumi config rm --path provision:aws.clusterArn",
  );
}

/** Whether the existing keys exist and are in use. Each is asked for in the region that its ARN names. */
async function lookUpKeys(
  questions: Questions,
  { keyArn, bucket, secretKeyArns }: Pick<AwsArgs, "keyArn" | "bucket" | "secretKeyArns">,
  account: string | undefined,
): Promise<void> {
  const ofCopies = plain(ownReplica(bucket, account)?.keyArn);
  const arns = new Set([plain(keyArn), plain(bucket.keyArn), ofCopies, ...plainList(secretKeyArns)]);
  await Promise.all(
    [...arns].map(async (arn) => {
      if (arn === undefined) return;
      const region = arn.split(":")[3] ?? questions.region;
      const state = await questions.ask(
        `the key ${arn}`,
        async () => (await aws.kms.getKey({ keyId: arn, region }, questions.opts)).keyState,
      );
      if (state === undefined || state === "Enabled") return;
      questions.warn(`The key ${arn} is not enabled (${state}): what it encrypts can be neither written nor read.`);
    }),
  );
}

/**
 * Whether the existing topic of the alarms exists. AWS lists an account's own topics alone, so that nothing is known of one of another
 * account. That it is in the stack's region is a rule of the settings.
 */
async function lookUpTopic(
  questions: Questions,
  { alarms }: Pick<AwsArgs, "alarms">,
  account: string | undefined,
): Promise<void> {
  const [, , , , owner, name] = plain(alarms.topicArn)?.split(":") ?? [];
  if (name === undefined || account === undefined) return;
  if (owner !== account) {
    questions.unknown(`the topic ${name} of the account ${owner ?? ""}`, `AWS lists the topics of ${account} alone.`);
    return;
  }
  await questions.ask(`the topic ${name}`, () => aws.sns.getTopic({ name }, questions.opts));
}

/** Whether the existing log group exists: ECS starts no task that cannot write to its log. */
async function lookUpLogGroup(questions: Questions, { logs }: Pick<AwsArgs, "logs">): Promise<void> {
  const name = plain(logs.group);
  if (name === undefined) return;
  await questions.ask(`the log group ${name}`, () => aws.cloudwatch.getLogGroup({ name }, questions.opts));
}

/**
 * Has a preview warn of what a stack takes over and AWS does not have, each thing looked up once. Only what is written down is
 * looked up: what another resource makes is not there before. An `up` begins with a preview, and need not ask twice.
 *
 * @returns when all is said; it never fails
 */
export async function lookUp(
  { region, aws, jobs }: { readonly region: string; readonly aws: AwsArgs; readonly jobs: readonly JobSettings[] },
  parent: pulumi.Resource,
): Promise<void> {
  if (!pulumi.runtime.isDryRun()) return;
  const questions = new Questions(region, parent);
  const account = await questions.ask("the account", () => callerAccount(parent));
  await Promise.all([
    lookUpNetwork(questions, aws, {
      onlyAws: usesOnlyEndpoints({ aws, region, jobs }),
      services: neededServices({ aws, jobs }),
    }),
    lookUpBucket(questions, aws),
    lookUpReplica(questions, aws, account),
    lookUpImage(questions, aws),
    lookUpKeys(questions, aws, account),
    lookUpLogGroup(questions, aws),
    lookUpSecrets(questions, jobs, account),
    lookUpRoles(questions, aws, account),
    lookUpHolders(questions, aws, account),
    lookUpCluster(questions, aws, account),
    lookUpTopic(questions, aws, account),
  ]);
  questions.conclude();
}
