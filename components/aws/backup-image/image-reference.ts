const REFERENCE = /^[a-z0-9][a-z0-9.-]*(?::\d+)?\/[a-z0-9][a-z0-9._/-]*@sha256:[0-9a-f]{64}$/;

/** The partition that each ending of an ECR registry's address belongs to, where the region does not tell. */
const ENDINGS: Readonly<Record<string, string>> = {
  "amazonaws.com": "aws",
  "amazonaws.com.cn": "aws-cn",
  "amazonaws.eu": "aws-eusc",
  "on.aws": "aws",
  "on.amazonwebservices.com.cn": "aws-cn",
};

/**
 * An Amazon ECR registry: `<account>.dkr.ecr.<region>.amazonaws.com`, or by IPv6 too `<account>.dkr-ecr.<region>.on.aws`, each also
 * with `-fips`, and with the endings of China and of the European Sovereign Cloud.
 */
const ECR = /^(?<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?<region>[a-z0-9-]+)\.(?<ending>[a-z.]+)$/;

/**
 * Says what is wrong with the reference of an image, which must name it by its digest, and what would be right; undefined where
 * nothing is.
 */
export function imageReferenceProblem(reference: string): string | undefined {
  if (REFERENCE.test(reference)) return undefined;
  const right = "expected registry/repository@sha256: with 64 hexadecimal digits";
  const [name = "", digest] = reference.split("@");
  const tag = /:([\w][\w.-]*)$/.exec(name)?.[1];
  if (digest === undefined) {
    const what =
      tag === undefined ? "names no digest" : `names the image by the tag ${tag}, which can come to mean another image`;
    const image = tag === undefined ? `${reference}:TAG` : reference;
    return `"${reference}" ${what}: ${right}. Find the digest with: docker buildx imagetools inspect ${image}`;
  }
  if (tag !== undefined && name.includes("/"))
    return `"${reference}" has a tag beside its digest: ${right}. Leave out ":${tag}".`;
  if (!name.includes("/")) return `"${reference}" names no registry: ${right}.`;
  return `"${reference}" is no reference of an image: ${right}.`;
}

/** The ARN of the repository that a reference names, where that is one of Amazon ECR. */
export function repositoryArnOf(reference: string): string | undefined {
  const slash = reference.indexOf("/");
  const [repository = ""] = reference.slice(slash + 1).split(/[:@]/);
  const { account, region, ending = "" } = ECR.exec(reference.slice(0, slash))?.groups ?? {};
  if (account === undefined || region === undefined || ENDINGS[ending] === undefined) return undefined;
  const partition = region.startsWith("us-gov-") ? "aws-us-gov" : ENDINGS[ending];
  return `arn:${partition}:ecr:${region}:${account}:repository/${repository}`;
}
