import { beforeAll, describe, expect, it } from "vitest";
import { BackupBucket } from "../../../components/aws/backup-bucket.ts";
import { BackupCopyBucket, type BackupCopyBucketArgs } from "../../../components/aws/backup-copy-bucket.ts";
import { app, KEY } from "../../helpers/aws-jobs.ts";
import { inputsOf, watchOptions } from "../../helpers/aws.ts";
import { ACCOUNT, EVERYTHING, isAllowed } from "../../helpers/iam.ts";
import { mockEngine, registered, unwrap } from "../../helpers/mocks.ts";

const OTHER = "210987654321";
const THIRD = "999999999999";
const COPIES = "arn:aws:s3:::copies";
const COPIES_KEY = "arn:aws:kms:eu-central-1:123456789012:key/copies-key";
const ROLE = `arn:aws:iam::${ACCOUNT}:role/bucket-replica-prod-role`;
const copy = `${COPIES}/prod/app/20261124T030000Z-abcdef/manifest.json`;

/** What the other account has: the policies of its bucket and key. */
async function otherSide(changes: Partial<BackupCopyBucketArgs> = {}) {
  const recorded = await mockEngine({
    calls: {
      "aws:index/getCallerIdentity:getCallerIdentity": { accountId: OTHER, arn: `arn:aws:iam::${OTHER}:user/x` },
    },
  });
  const watch = watchOptions();
  const copies = new BackupCopyBucket("copies", { stack: "prod", sourceAccountId: ACCOUNT, ...changes }, watch.opts);
  await registered(copies);
  return {
    copies,
    recorded,
    watch,
    bucket: JSON.parse(String(inputsOf(recorded, "s3/bucketPolicy:BucketPolicy").policy)) as unknown,
    key: JSON.parse(String(inputsOf(recorded, "kms/key:Key").policy)) as unknown,
  };
}

let theirs: Awaited<ReturnType<typeof otherSide>>;
let ours: unknown;

beforeAll(async () => {
  theirs = await otherSide();
  const recorded = await mockEngine();
  const bucket = new BackupBucket("bucket", {
    stack: "prod",
    jobs: [app],
    keyArn: KEY,
    replica: { bucketArn: COPIES, keyArn: COPIES_KEY, accountId: OTHER },
  });
  await registered(bucket);
  expect(await unwrap(bucket.replicationRoleArn ?? expect.fail())).toBe(ROLE);
  ours = JSON.parse(String(inputsOf(recorded, "iam/rolePolicy:RolePolicy").policy));
});

const viaS3 = (region = "eu-central-1") => ({
  "kms:ViaService": `s3.${region}.amazonaws.com`,
  "kms:EncryptionContext:aws:s3:arn": COPIES,
});

/** Whether somebody with a policy may do something with the copies, by what the other account's side says. */
function may(
  action: string,
  {
    principal = ROLE,
    policy = ours,
    side = theirs,
    context = {},
  }: {
    readonly principal?: string;
    readonly policy?: unknown;
    readonly side?: { readonly bucket: unknown; readonly key: unknown };
    readonly context?: Record<string, string>;
  } = {},
): Promise<boolean> {
  const ofKey = action.startsWith("kms:");
  const resource = ofKey ? COPIES_KEY : copy;
  const resourcePolicy = ofKey ? side.key : side.bucket;
  return isAllowed({ principal, policy, action, resource, resourcePolicy, owner: OTHER, context });
}

describe("a copy in another account", () => {
  it.each(["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"])(
    "takes %s of the stack's role, as both accounts' policies say",
    async (action) => {
      expect(await may(action)).toBe(true);
      // Neither side is enough.
      expect(await may(action, { side: { bucket: undefined, key: undefined } })).toBe(false);
      expect(await may(action, { policy: { Version: "2012-10-17", Statement: [] } })).toBe(false);
    },
  );

  it.each(["kms:Encrypt", "kms:GenerateDataKey"])("takes %s of it, through S3 alone", async (action) => {
    expect(await may(action, { context: viaS3() })).toBe(true);
    expect(await may(action, { context: viaS3("eu-west-1") })).toBe(false);
    expect(await may(action, { policy: EVERYTHING })).toBe(false);
    expect(await may(action, { side: { bucket: undefined, key: undefined }, context: viaS3() })).toBe(false);
  });

  it.each([
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutObjectRetention",
    "s3:BypassGovernanceRetention",
    "kms:Decrypt",
    "kms:ScheduleKeyDeletion",
  ])("refuses %s to the source account, even to its administrators", async (action) => {
    for (const principal of [ROLE, `arn:aws:iam::${ACCOUNT}:role/Administrator`]) {
      expect(await may(action, { principal, policy: EVERYTHING, context: viaS3() })).toBe(false);
    }
  });

  it("refuses copies of a third account", async () => {
    const principal = `arn:aws:iam::${THIRD}:role/bucket-replica-prod-role`;
    expect(await may("s3:ReplicateObject", { principal, policy: EVERYTHING })).toBe(false);
    expect(await may("kms:Encrypt", { principal, policy: EVERYTHING, context: viaS3() })).toBe(false);
  });

  it("refuses other roles of the source account where the roles are named", async () => {
    const side = await otherSide({ replicationRoles: [ROLE] });
    const another = { principal: `arn:aws:iam::${ACCOUNT}:role/another`, policy: EVERYTHING };
    expect(await may("s3:ReplicateObject", another)).toBe(true);
    expect(await may("s3:ReplicateObject", { ...another, side })).toBe(false);
    expect(await may("kms:Encrypt", { ...another, side, context: viaS3() })).toBe(false);
    expect(await may("s3:ReplicateObject", { side })).toBe(true);
    expect(await may("kms:Encrypt", { side, context: viaS3() })).toBe(true);
  });

  it("is restored from by the other account itself, and its versions are removed by nobody", async () => {
    const principal = `arn:aws:iam::${OTHER}:role/restore`;
    const own = { principal, policy: EVERYTHING, context: viaS3() };
    expect(await may("s3:GetObject", own)).toBe(true);
    expect(await may("kms:Decrypt", own)).toBe(true);
    expect(await may("s3:DeleteObjectVersion", own)).toBe(false);
    expect(await may("s3:BypassGovernanceRetention", own)).toBe(false);
  });
});

describe("BackupCopyBucket", () => {
  it("is locked, versioned, private, encrypted, and stays", async () => {
    const { recorded, watch, copies } = await otherSide({ jobs: [app] });
    const of = (type: string) => inputsOf(recorded, type);
    expect(of("s3/bucket:Bucket")).toMatchObject({ objectLockEnabled: true, forceDestroy: false });
    expect(of("s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")).toMatchObject({
      rule: { defaultRetention: { mode: "GOVERNANCE", days: 7 } },
    });
    expect(of("s3/bucketVersioning:BucketVersioning")).toMatchObject({
      versioningConfiguration: { status: "Enabled" },
    });
    expect(of("s3/bucketPublicAccessBlock:BucketPublicAccessBlock")).toMatchObject({ blockPublicPolicy: true });
    for (const name of ["copies", "copies-key"]) expect(watch.of(name).retainOnDelete).toBe(true);
    expect(await unwrap(copies.bucketArn)).toBe(COPIES);
    expect(await unwrap(copies.accountId)).toBe(OTHER);
  });

  it("has no lock where that is asked for", async () => {
    const { recorded } = await otherSide({ objectLock: "off" });
    expect(recorded.some(({ type }) => type.includes("ObjectLock"))).toBe(false);
  });
});
