import * as aws from "@pulumi/aws";
import { ARCHITECTURES, platformOf } from "../backup-image/platform.ts";
import { repositoryArnOf } from "../backup-image/image-reference.ts";
import { tagEnd } from "../backup-image/build-script.ts";
import type { AwsArgs } from "../settings.ts";
import { plain } from "./plain.ts";
import type { Questions } from "./questions.ts";

/**
 * Whether the repository and in it the image exist, where that is in ECR, and whether the image is for the tasks' processor. Of that
 * ECR says nothing, but a tag that our own build gave the image ends with it.
 */
export async function lookUpImage(questions: Questions, { image, architecture }: AwsArgs): Promise<void> {
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
