import * as pulumi from "@pulumi/pulumi";
import { denyWithoutTls, type Statement } from "../policy.ts";

/**
 * What a bucket of backups refuses to everybody: requests without TLS 1.2, objects with another key than the stack's, and, except
 * to `breakGlass`, the removal of versions before the lifecycle ends them. Anybody else must change this policy first, which
 * leaves a trace. The policy and the lifecycle stay open to changes, because deployments make them.
 *
 * @param breakGlass ARN patterns of the principals that may remove versions, locked ones included
 * @param removable leaves the last statement out: the stack itself removes the bucket with its content
 */
export function bucketStatements(
  bucketArn: pulumi.Input<string>,
  keyArn: pulumi.Input<string>,
  breakGlass: pulumi.Input<readonly string[]> | undefined,
  removable: boolean,
): Statement[] {
  const objects = pulumi.interpolate`${bucketArn}/*`;
  const algorithm = "s3:x-amz-server-side-encryption";
  const key = "s3:x-amz-server-side-encryption-aws-kms-key-id";
  const deny = { Effect: "Deny", Principal: "*" } as const;
  const put = { ...deny, Action: "s3:PutObject", Resource: objects } as const;
  const removal: Statement = {
    Sid: "DenyRemovalOfVersions",
    ...deny,
    Action: ["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"],
    Resource: objects,
    ...(breakGlass !== undefined && { Condition: { ArnNotLike: { "aws:PrincipalArn": breakGlass } } }),
  };
  return [
    denyWithoutTls("s3:*", bucketArn, objects),
    {
      Sid: "DenyOldTls",
      ...deny,
      Action: "s3:*",
      Resource: [bucketArn, objects],
      Condition: { NumericLessThan: { "s3:TlsVersion": "1.2" } },
    },
    // A request that names neither is encrypted as the bucket says; a negated condition alone would refuse it.
    {
      Sid: "DenyOtherEncryption",
      ...put,
      Condition: { Null: { [algorithm]: "false" }, StringNotEquals: { [algorithm]: "aws:kms" } },
    },
    {
      Sid: "DenyOtherKeys",
      ...put,
      Condition: { Null: { [key]: "false" }, StringNotEquals: { [key]: keyArn } },
    },
    ...(removable ? [] : [removal]),
  ];
}
