import type { Problem } from "../../../providers/config.ts";
import type { AwsSettings } from "../settings.ts";

/** What exists has to be in the stack's region, which its ARN names: tasks run in no cluster of another, and no key works there. */
export function checkPlaces({ clusterArn, keyArn, bucket }: AwsSettings, region: string | undefined): Problem[] {
  const found = { clusterArn, keyArn, "bucket.keyArn": bucket.keyArn };
  return Object.entries(found).flatMap(([field, arn]): Problem[] => {
    const other = arn?.split(":")[3];
    if (other === undefined || region === undefined || other === region) return [];
    const path = `provision:aws.${field}`;
    return [
      {
        path,
        message: `${arn ?? ""} is in ${other}, and the stack in ${region}`,
        fix: `Name one of ${region}, or leave it out: pulumi config rm --path '${path}'`,
      },
    ];
  });
}
