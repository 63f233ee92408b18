import { runSimulation } from "@cloud-copilot/iam-simulate";
import { describe, expect, it } from "vitest";
import { bucketStatements } from "../../../../components/aws/backup-bucket/bucket-policy.ts";
import { policy } from "../../../../components/aws/policy.ts";
import { unwrap } from "../../../helpers/mocks.ts";

const bucket = "arn:aws:s3:::backups";
const key = "arn:aws:kms:eu-central-1:123456789012:key/1111";
const admin = "arn:aws:iam::123456789012:role/admin";
const breakGlass = "arn:aws:iam::123456789012:role/break-glass";
const everything = { Version: "2012-10-17", Statement: { Effect: "Allow", Action: "*", Resource: "*" } };

/** What IAM makes of a request by a role that may do everything, by the bucket's policy. */
async function judge(
  request: { readonly action: string; readonly principal?: string; readonly context?: Record<string, string> },
  options: { readonly breakGlass?: string[]; readonly removable?: boolean } = {},
): Promise<string> {
  const text = await unwrap(policy(...bucketStatements(bucket, key, options.breakGlass, options.removable ?? false)));
  const onBucket = request.action === "s3:PutLifecycleConfiguration" || request.action === "s3:PutBucketPolicy";
  const { principal = admin } = request;
  const result = await runSimulation(
    {
      request: {
        principal,
        action: request.action,
        resource: { resource: onBucket ? bucket : `${bucket}/prod/app/x/manifest.json`, accountId: "123456789012" },
        contextVariables: {
          "aws:PrincipalArn": principal,
          "aws:SecureTransport": "true",
          "s3:TlsVersion": "1.3",
          ...request.context,
        },
      },
      identityPolicies: [{ name: "everything", policy: everything }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: JSON.parse(text) as unknown,
    },
    {},
  );
  return "overallResult" in result ? result.overallResult : JSON.stringify(result);
}

const algorithm = "s3:x-amz-server-side-encryption";
const keyId = "s3:x-amz-server-side-encryption-aws-kms-key-id";

describe("the policy of a bucket of backups, to a role that may do everything", () => {
  it.each([
    ["writes without a word on encryption", { action: "s3:PutObject" }, "Allowed"],
    [
      "writes with the stack's key",
      { action: "s3:PutObject", context: { [algorithm]: "aws:kms", [keyId]: key } },
      "Allowed",
    ],
    [
      "writes with another key",
      { action: "s3:PutObject", context: { [algorithm]: "aws:kms", [keyId]: `${key}2` } },
      "ExplicitlyDenied",
    ],
    ["writes with S3's keys", { action: "s3:PutObject", context: { [algorithm]: "AES256" } }, "ExplicitlyDenied"],
    ["reads", { action: "s3:GetObject" }, "Allowed"],
    ["reads without TLS", { action: "s3:GetObject", context: { "aws:SecureTransport": "false" } }, "ExplicitlyDenied"],
    ["reads with an old TLS", { action: "s3:GetObject", context: { "s3:TlsVersion": "1.1" } }, "ExplicitlyDenied"],
    // Prune does this: a delete marker, below which the version stays.
    ["hides an object", { action: "s3:DeleteObject" }, "Allowed"],
    ["removes a version", { action: "s3:DeleteObjectVersion" }, "ExplicitlyDenied"],
    ["breaks a lock", { action: "s3:BypassGovernanceRetention" }, "ExplicitlyDenied"],
    // The role that deploys the stack is not locked out.
    ["changes the lifecycle", { action: "s3:PutLifecycleConfiguration" }, "Allowed"],
    ["changes the policy", { action: "s3:PutBucketPolicy" }, "Allowed"],
  ] as const)("%s: %j is %s", async (_what, request, verdict) => {
    expect(await judge(request)).toBe(verdict);
  });

  it("leaves the removal of versions to those who may break the glass", async () => {
    const action = "s3:DeleteObjectVersion";
    expect(await judge({ action, principal: breakGlass }, { breakGlass: [breakGlass] })).toBe("Allowed");
    expect(await judge({ action, principal: admin }, { breakGlass: [breakGlass] })).toBe("ExplicitlyDenied");
  });

  it("leaves it to all where the stack removes the bucket itself", async () => {
    expect(await judge({ action: "s3:DeleteObjectVersion" }, { removable: true })).toBe("Allowed");
  });
});
