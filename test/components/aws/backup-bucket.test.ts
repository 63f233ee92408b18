import { describe, expect, it } from "vitest";
import { BackupBucket, type BackupBucketArgs } from "../../../components/aws/backup-bucket.ts";
import { inputsOf, longStacks, names, statements, watchOptions } from "../../helpers/aws.ts";
import { mockEngine, registered, unwrap } from "../../helpers/mocks.ts";

const app = {
  name: "app",
  schedule: { cron: "0 3 * * *", timezone: "UTC" },
  retention: { daily: 14, weekly: 8 },
};

function args(changes: Partial<BackupBucketArgs> = {}): BackupBucketArgs {
  return { stack: "prod", keyArn: "arn:key", jobs: [app], ...changes };
}

const bucketChildren = [
  "Bucket bucket",
  "BucketLifecycleConfiguration bucket-lifecycle",
  "BucketNotification bucket-notification",
  "BucketObjectLockConfiguration bucket-object-lock",
  "BucketOwnershipControls bucket-ownership",
  "BucketPolicy bucket-policy",
  "BucketPublicAccessBlock bucket-public-access",
  "BucketServerSideEncryptionConfiguration bucket-encryption",
  "BucketVersioning bucket-versioning",
];

describe.each([false, true])("BackupBucket (preview: %s)", (preview) => {
  it("makes a private, versioned, encrypted, locked bucket", async () => {
    const recorded = await mockEngine({ preview });
    await registered(new BackupBucket("bucket", args({ tags: { team: "db" } })));
    expect(names(recorded)).toEqual(bucketChildren);
    expect(inputsOf(recorded, "s3/bucket:Bucket")).toEqual({
      bucketPrefix: "provision-prod-",
      objectLockEnabled: true,
      forceDestroy: false,
      tags: { team: "db" },
    });
    expect(inputsOf(recorded, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock")).toMatchObject({
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    expect(inputsOf(recorded, "s3/bucketOwnershipControls:BucketOwnershipControls").rule).toEqual({
      objectOwnership: "BucketOwnerEnforced",
    });
    expect(inputsOf(recorded, "s3/bucketVersioning:BucketVersioning").versioningConfiguration).toEqual({
      status: "Enabled",
    });
    const encryption = "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration";
    expect(inputsOf(recorded, encryption).rules).toEqual([
      {
        applyServerSideEncryptionByDefault: { sseAlgorithm: "aws:kms", kmsMasterKeyId: "arn:key" },
        bucketKeyEnabled: true,
      },
    ]);
    expect(inputsOf(recorded, "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration").rule).toEqual({
      defaultRetention: { mode: "GOVERNANCE", days: 14 },
    });
    expect(inputsOf(recorded, "s3/bucketNotification:BucketNotification").eventbridge).toBe(true);
    expect(inputsOf(recorded, "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").rules).toEqual([
      {
        id: "backups",
        status: "Enabled",
        filter: { prefix: "" },
        noncurrentVersionExpiration: { noncurrentDays: 7 },
        // No days: no current version is ever ended.
        expiration: { expiredObjectDeleteMarker: true },
        abortIncompleteMultipartUpload: { daysAfterInitiation: 15 },
      },
    ]);
  });

  it("keeps the bucket and everything that guards it on destroy", async () => {
    const recorded = await mockEngine({ preview });
    const watch = watchOptions();
    const children = { accessLogs: {}, replica: { region: "eu-west-1" } };
    await registered(new BackupBucket("bucket", args(children), watch.opts));
    for (const { type, name } of recorded.filter((resource) => /^aws:(s3|kms)/.test(resource.type))) {
      expect([type, name, watch.of(name).retainOnDelete]).toEqual([type, name, true]);
    }
  });

  it("is never replaced by a change of the stack's name or the lock", async () => {
    await mockEngine({ preview });
    const watch = watchOptions();
    await registered(
      new BackupBucket("bucket", args({ accessLogs: {}, replica: { region: "eu-west-1" } }), watch.opts),
    );
    for (const name of ["bucket", "bucket-access-logs", "bucket-replica"]) {
      expect(watch.of(name)).toMatchObject({ protect: false, ignoreChanges: ["bucketPrefix", "objectLockEnabled"] });
    }
  });

  it("refuses removal and replacement of the buckets with backups, and of their keys, where it is protected", async () => {
    const recorded = await mockEngine({ preview });
    const watch = watchOptions();
    const changes = { protect: true, accessLogs: {}, replica: { region: "eu-west-1" } };
    await registered(new BackupBucket("bucket", args(changes), watch.opts));
    const all = recorded.filter(({ type }) => type.startsWith("aws:")).map(({ name }) => name);
    expect(all.filter((name) => watch.of(name).protect === true).sort()).toEqual([
      "bucket",
      "bucket-replica",
      "bucket-replica-key",
    ]);
  });

  it("deletes it only if the stack says so twice, and then nothing is in the way", async () => {
    const recorded = await mockEngine({ preview });
    const watch = watchOptions();
    const removal = { removeOnDestroy: true, confirmRemoval: "prod" };
    await registered(new BackupBucket("bucket", args(removal), watch.opts));
    expect(inputsOf(recorded, "s3/bucket:Bucket")).toMatchObject({ forceDestroy: true });
    expect(watch.of("bucket").retainOnDelete).toBe(false);
    expect(watch.of("bucket-policy").retainOnDelete).toBe(false);
  });

  it("leaves a bucket alone that exists", async () => {
    const recorded = await mockEngine({ preview });
    const bucket = new BackupBucket("bucket", args({ existing: "theirs" }));
    await registered(bucket);
    expect(names(recorded)).toEqual([]);
    expect(await unwrap(bucket.bucketName)).toBe("theirs");
    expect(await unwrap(bucket.bucketArn)).toBe("arn:aws:s3:::theirs");
    expect(await unwrap(bucket.keyArn)).toBe("arn:key");
  });

  it("logs accesses into a bucket that S3 can deliver to", async () => {
    const recorded = await mockEngine({ preview });
    await registered(new BackupBucket("bucket", args({ accessLogs: { retentionDays: 90 } })));
    const logs = /^bucket-access-logs/;
    expect(inputsOf(recorded, "s3/bucket:Bucket", logs)).toMatchObject({
      bucketPrefix: "provision-prod-access-",
      objectLockEnabled: false,
    });
    const encryption = "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration";
    expect(inputsOf(recorded, encryption, logs).rules).toEqual([
      { applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" }, bucketKeyEnabled: false },
    ]);
    expect(
      inputsOf(recorded, "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", logs).rules,
    ).toMatchObject([{ expiration: { days: 90 } }]);
    expect(inputsOf(recorded, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock", logs).blockPublicAcls).toBe(true);
    expect(inputsOf(recorded, "s3/bucketLogging:BucketLogging").targetPrefix).toBe("access/");
  });
});

describe("BackupBucket", () => {
  it("refuses requests without TLS 1.2, other keys, and the removal of versions", async () => {
    const recorded = await mockEngine();
    await registered(new BackupBucket("bucket", args()));
    const all = statements(inputsOf(recorded, "s3/bucketPolicy:BucketPolicy").policy);
    const arn = "arn:aws:s3:::bucket";
    for (const { Effect, Principal } of Object.values(all)) expect([Effect, Principal]).toEqual(["Deny", "*"]);
    const { DenyWithoutTls, DenyOldTls, DenyOtherEncryption, DenyOtherKeys, DenyRemovalOfVersions, ...others } = all;
    expect(others).toEqual({});
    expect(DenyWithoutTls).toMatchObject({
      Action: "s3:*",
      Resource: [arn, `${arn}/*`],
      Condition: { Bool: { "aws:SecureTransport": "false" } },
    });
    expect(DenyOldTls?.Condition).toEqual({ NumericLessThan: { "s3:TlsVersion": "1.2" } });
    // Both need the header to be there: what names no key is encrypted as the bucket says.
    expect(DenyOtherEncryption?.Condition?.Null).toEqual({ "s3:x-amz-server-side-encryption": "false" });
    expect(DenyOtherKeys?.Condition).toEqual({
      Null: { "s3:x-amz-server-side-encryption-aws-kms-key-id": "false" },
      StringNotEquals: { "s3:x-amz-server-side-encryption-aws-kms-key-id": "arn:key" },
    });
    expect(DenyRemovalOfVersions).toMatchObject({
      Action: ["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"],
      Resource: `${arn}/*`,
    });
    expect(DenyRemovalOfVersions).not.toHaveProperty("Condition");
  });

  it("lets break-glass principals remove versions", async () => {
    const recorded = await mockEngine();
    const breakGlass = ["arn:aws:iam::123456789012:role/break-glass"];
    await registered(new BackupBucket("bucket", args({ breakGlass })));
    const { DenyRemovalOfVersions } = statements(inputsOf(recorded, "s3/bucketPolicy:BucketPolicy").policy);
    expect(DenyRemovalOfVersions?.Condition).toEqual({ ArnNotLike: { "aws:PrincipalArn": breakGlass } });
  });

  it("does not stand in the way of its own removal", async () => {
    const recorded = await mockEngine();
    await registered(new BackupBucket("bucket", args({ removeOnDestroy: true, confirmRemoval: "prod" })));
    const policy = statements(inputsOf(recorded, "s3/bucketPolicy:BucketPolicy").policy);
    expect(Object.keys(policy)).not.toContain("DenyRemovalOfVersions");
    expect(Object.keys(policy)).toContain("DenyWithoutTls");
  });

  it("locks as long as configured, and keeps hidden versions until then", async () => {
    const recorded = await mockEngine();
    const objectLock = { mode: "compliance", days: 40, confirmCompliance: true } as const;
    await registered(new BackupBucket("bucket", args({ objectLock })));
    expect(inputsOf(recorded, "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration").rule).toEqual({
      defaultRetention: { mode: "COMPLIANCE", days: 40 },
    });
    expect(inputsOf(recorded, "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").rules).toMatchObject([
      { noncurrentVersionExpiration: { noncurrentDays: 33 } },
    ]);
  });

  it("makes a bucket without a lock, and with cheaper classes", async () => {
    const recorded = await mockEngine();
    const transitions = [{ storageClass: "GLACIER_IR", afterDays: 0 }] as const;
    await registered(new BackupBucket("bucket", args({ objectLock: "off", transitions })));
    expect(inputsOf(recorded, "s3/bucket:Bucket").objectLockEnabled).toBe(false);
    expect(names(recorded)).toEqual(bucketChildren.filter((name) => !name.includes("ObjectLock")));
    expect(inputsOf(recorded, "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").rules).toMatchObject([
      { transitions: [{ storageClass: "GLACIER_IR", days: 0 }] },
    ]);
  });

  it("copies to another region, into a bucket of the same kind with a key of its own there", async () => {
    const recorded = await mockEngine();
    const bucket = new BackupBucket("bucket", args({ replica: { region: "eu-west-1" } }));
    await registered(bucket);
    const replica = /^bucket-replica/;
    for (const { type, name, inputs } of recorded) {
      if (
        !name.startsWith("bucket-replica") ||
        !/^aws:(s3|kms)/.test(type) ||
        type.endsWith(":BucketReplicationConfig")
      )
        continue;
      expect([type, inputs.region]).toEqual([type, "eu-west-1"]);
    }
    expect(inputsOf(recorded, "s3/bucket:Bucket", replica)).toMatchObject({
      bucketPrefix: "provision-prod-replica-",
      objectLockEnabled: true,
      forceDestroy: false,
    });
    expect(
      inputsOf(recorded, "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", replica).rules,
    ).toMatchObject([{ noncurrentVersionExpiration: { noncurrentDays: 30 } }]);
    const replicaArn = "arn:aws:s3:::bucket-replica";
    const replicaKey = "arn:aws:kms:eu-central-1:123456789012:key/bucket-replica-key";
    expect(inputsOf(recorded, "s3/bucketReplicationConfig:BucketReplicationConfig").rules).toMatchObject([
      {
        deleteMarkerReplication: { status: "Enabled" },
        sourceSelectionCriteria: { sseKmsEncryptedObjects: { status: "Enabled" } },
        destination: { bucket: replicaArn, encryptionConfiguration: { replicaKmsKeyId: replicaKey } },
      },
    ]);
    const role = statements(inputsOf(recorded, "iam/rolePolicy:RolePolicy").policy);
    expect(role.WriteCopies).toMatchObject({ Resource: `${replicaArn}/*` });
    // Delete markers, but never the removal of a version.
    expect(role.WriteCopies?.Action).toContain("s3:ReplicateDelete");
    expect(JSON.stringify(role)).not.toContain("s3:Delete");
    expect(await unwrap(bucket.replicationRoleArn ?? bucket.bucketArn)).toContain("role/bucket-replica-prod-role");
    const { ReplicateBackups } = statements(inputsOf(recorded, "iam/role:Role").assumeRolePolicy);
    expect(ReplicateBackups?.Condition).toEqual({
      StringEquals: { "aws:SourceAccount": "123456789012" },
      ArnLike: { "aws:SourceArn": "arn:aws:s3:::bucket" },
    });
  });

  it("copies to another account's bucket, which then owns the copies", async () => {
    const recorded = await mockEngine();
    const replica = { bucketArn: "arn:aws:s3:::copies", keyArn: "arn:their-key", accountId: "210987654321" };
    await registered(new BackupBucket("bucket", args({ replica })));
    expect(names(recorded).filter((name) => name.startsWith("Bucket "))).toEqual(["Bucket bucket"]);
    expect(inputsOf(recorded, "s3/bucketReplicationConfig:BucketReplicationConfig").rules).toMatchObject([
      {
        destination: {
          bucket: "arn:aws:s3:::copies",
          account: "210987654321",
          accessControlTranslation: { owner: "Destination" },
        },
      },
    ]);
  });

  it.each([
    [{ objectLock: { mode: "compliance", days: 9 } }, "nobody can undo a lock of mode compliance", "confirmCompliance"],
    [{ removeOnDestroy: true }, "remove every backup", "confirmRemoval' prod"],
    [{ removeOnDestroy: true, confirmRemoval: "dev" }, "remove every backup", "confirmRemoval' prod"],
    [
      {
        removeOnDestroy: true,
        confirmRemoval: "prod",
        objectLock: { mode: "compliance", days: 9, confirmCompliance: true },
      },
      "nobody can remove a backup with a lock of mode compliance",
      "governance",
    ],
    [{ transitions: [{ storageClass: "STANDARD_IA", afterDays: 7 }] }, "before day 30", "afterDays is 7"],
    [{ removeOnDestroy: true, confirmRemoval: "prod", protect: true }, "protect refuses the removal", "Leave out one"],
    [
      {
        transitions: [
          { storageClass: "GLACIER_IR", afterDays: 30 },
          { storageClass: "INTELLIGENT_TIERING", afterDays: 30 },
        ],
      },
      "nothing from GLACIER_IR (after 30 days) to INTELLIGENT_TIERING",
      "can follow each other",
    ],
    [{ existing: "theirs", accessLogs: {} }, "accessLogs is for a bucket that the stack makes", "Leave out accessLogs"],
  ] as const)("refuses %j and says why", async (changes, why, fix) => {
    const recorded = await mockEngine();
    let message = "";
    try {
      new BackupBucket("bucket", args(changes));
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain(why);
    expect(message).toContain(fix);
    // What the constructor began is registered before the next test replaces the engine.
    await new Promise((resolve) => setImmediate(resolve));
    expect(names(recorded)).toEqual([]);
  });

  it("keeps the buckets of two long stacks apart, all within 63 characters", async () => {
    const recorded = await mockEngine();
    const changes = { accessLogs: {}, replica: { region: "eu-west-1" } };
    await registered(...longStacks.map((stack) => new BackupBucket(stack, args({ stack, ...changes }))));
    const prefixes = recorded
      .filter(({ type }) => type.endsWith(":Bucket"))
      .map(({ inputs }) => String(inputs.bucketPrefix));
    expect(new Set(prefixes).size).toBe(6);
    for (const prefix of prefixes) expect(prefix).toMatch(/^[a-z0-9][a-z0-9-]{0,36}$/);
    const roles = recorded.filter(({ type }) => type.endsWith(":Role")).map(({ name }) => name);
    expect(new Set(roles).size).toBe(2);
    for (const name of roles) expect(name.length + 8).toBeLessThanOrEqual(64);
  });
});
