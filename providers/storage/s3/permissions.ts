import type { DeployedTask, PolicyStatement } from "../../definition.ts";
import {
  ANOMALY,
  DRILL,
  ending,
  FILE_INDEX,
  HOLD,
  jobFolder,
  MANIFEST,
  PRUNE_MARKS,
  recordName,
  REPORT_ENDINGS,
  reportsFolder,
  VERIFICATION,
} from "../../layout.ts";

/** What the permissions depend on. */
interface S3Place {
  readonly bucket?: string | undefined;
  readonly prefix?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly accessKeyId?: unknown;
  readonly sse?: "AES256" | { readonly kmsKeyId: string } | undefined;
  readonly objectLock?: { readonly mode: "governance" | "compliance"; readonly days: number } | undefined;
  readonly removeVersions: boolean;
}

const DRILL_RECORDS = [DRILL.good, DRILL.bad].map(recordsOf);
const HOLD_RECORDS = [HOLD.good, HOLD.bad].map(recordsOf);
const INDEX = `${FILE_INDEX.name}${ending(false)}`;
/**
 * The objects that say what a backup is and how it stands; the others are the backup itself. Without the index of files, prune
 * could not tell which contents no backup needs.
 */
const RECORDS = [
  MANIFEST,
  ...[VERIFICATION, HOLD, ANOMALY].flatMap(({ good, bad }) => [good, bad]).map(recordsOf),
  INDEX,
  ...DRILL_RECORDS,
];
/** What a backup needs: its manifest, its objects, and the contents of its files. */
const NEEDED = [MANIFEST, ...[false, true].map((encrypted) => `*${ending(encrypted)}`)];

function recordsOf(outcome: string): string {
  return recordName(outcome, "*");
}

/**
 * What the role of a task may do in a bucket of AWS, all of it in its job's own folder:
 *
 * - `backup` creates and reads objects. It cannot replace one either: S3 itself refuses a write that does not ask for that.
 * - `read` reads, and `drill` besides creates the record of a drill.
 * - `prune` lists, reads the records and the index of files, creates the marks by which a hold sees it, and removes. With versions in the bucket that only hides
 *   objects, unless the configuration says `removeVersions`. A lock holds against it in any case.
 * - `report` lists, reads the records and when locks end, and creates and removes the pages and signatures of reports.
 * - `hold` lists, reads the records and the index of files, creates the records of holds, and puts legal holds on backups or takes them
 *   off. It neither removes anything nor changes when a lock ends.
 *
 * Nothing where the role has no part in it: another service, or an access key of its own.
 */
export function s3Permissions(config: S3Place, { stack, job, access, partition }: DeployedTask): PolicyStatement[] {
  if (config.bucket === undefined || config.endpoint !== undefined || config.accessKeyId !== undefined) return [];
  const bucket = `arn:${partition}:s3:::${config.bucket}`;
  const folder = jobFolder({ stack, name: job }, config.prefix);
  const objects = `${bucket}/${folder}/*`;
  const inFolder = { StringLike: { "s3:prefix": `${folder}/*` } };
  const list = allow(["s3:ListBucket"], [bucket], inFolder);
  // S3 has no condition by which this could be limited to a folder. It shows names only, of uploads under way.
  const listUploads = allow(["s3:ListBucketMultipartUploads"], [bucket]);
  const key = (...actions: string[]) => keyStatements(config.sse, actions, partition, [bucket, objects]);
  const below = (names: readonly string[]) => names.map((name) => `${objects}/${name}`);
  const versions = (removed: readonly string[]) =>
    config.removeVersions
      ? [allow(["s3:DeleteObjectVersion"], removed), allow(["s3:ListBucketVersions"], [bucket], inFolder)]
      : [];
  switch (access) {
    case "backup":
      return [
        allow(["s3:GetObject", "s3:AbortMultipartUpload"], [objects]),
        ...creation([objects], config.objectLock),
        list,
        listUploads,
        ...key("kms:GenerateDataKey", "kms:Decrypt"),
      ];
    case "read":
      return [allow(["s3:GetObject"], [objects]), list, ...key("kms:Decrypt")];
    case "drill":
      return [
        allow(["s3:GetObject"], [objects]),
        ...recording(below(DRILL_RECORDS), config.objectLock),
        list,
        ...key("kms:GenerateDataKey", "kms:Decrypt"),
      ];
    case "prune":
      return [
        allow(["s3:GetObject"], below([...RECORDS, PRUNE_MARKS])),
        ...recording(below([PRUNE_MARKS]), config.objectLock),
        allow(["s3:DeleteObject", "s3:AbortMultipartUpload"], [objects]),
        list,
        listUploads,
        ...versions([objects]),
        ...key("kms:GenerateDataKey", "kms:Decrypt"),
      ];
    case "report": {
      const reports = `${bucket}/${reportsFolder({ stack, name: job }, config.prefix)}`;
      const own = Object.values(REPORT_ENDINGS).map((name) => `${reports}/*${name}`);
      const records = RECORDS.filter((record) => record !== INDEX);
      return [
        allow(["s3:GetObject"], [...below(records), ...own]),
        // The lock of an archive, and not the archive.
        allow(["s3:GetObjectRetention"], [objects]),
        allow(["s3:DeleteObject", "s3:AbortMultipartUpload"], own),
        ...creation(own, config.objectLock),
        list,
        ...versions(own),
        ...key("kms:GenerateDataKey", "kms:Decrypt"),
      ];
    }
    case "hold":
      return [
        allow(["s3:GetObject"], below(RECORDS)),
        ...recording(below(HOLD_RECORDS), config.objectLock),
        allow(["s3:PutObjectLegalHold"], below(NEEDED)),
        allow(["s3:GetBucketObjectLockConfiguration"], [bucket]),
        list,
        ...key("kms:GenerateDataKey", "kms:Decrypt"),
      ];
  }
}

/** The creation of records, each in one request. */
function recording(records: readonly string[], lock: S3Place["objectLock"]): PolicyStatement[] {
  return [
    allow(["s3:PutObject"], records, { Null: { "s3:if-none-match": "false" } }),
    ...lockStatements(lock, records),
  ];
}

/** The header If-None-Match comes with what makes an object visible, and cannot come with the parts of an upload. */
function creation(objects: readonly string[], lock: S3Place["objectLock"]): PolicyStatement[] {
  return [
    allow(["s3:PutObject"], objects, { Null: { "s3:if-none-match": "false" } }),
    allow(["s3:PutObject"], objects, { Bool: { "s3:ObjectCreationOperation": "false" } }),
    ...lockStatements(lock, objects),
  ];
}

/** S3 asks for this permission also where a new object brings its lock with it. */
function lockStatements(lock: S3Place["objectLock"], objects: readonly string[]): PolicyStatement[] {
  if (lock === undefined) return [];
  const condition = {
    StringEquals: { "s3:object-lock-mode": lock.mode.toUpperCase() },
    NumericLessThanEquals: { "s3:object-lock-remaining-retention-days": String(lock.days) },
  };
  return [allow(["s3:PutObjectRetention"], objects, condition)];
}

/** The use of the KMS key, through S3 and for this bucket alone. */
function keyStatements(
  sse: S3Place["sse"],
  actions: readonly string[],
  partition: string,
  contexts: readonly string[],
): PolicyStatement[] {
  if (typeof sse !== "object") return [];
  const alias = /(?:^|:)(alias\/.+)$/.exec(sse.kmsKeyId)?.[1];
  const anyKey = `arn:${partition}:kms:*:*:key/`;
  const whole = sse.kmsKeyId.startsWith("arn:") ? sse.kmsKeyId : `${anyKey}${sse.kmsKeyId}`;
  return [
    allow(actions, [alias === undefined ? whole : `${anyKey}*`], {
      // With a bucket key the context names the bucket, otherwise the object.
      StringLike: { "kms:ViaService": "s3.*", "kms:EncryptionContext:aws:s3:arn": contexts },
      ...(alias === undefined ? {} : { "ForAnyValue:StringEquals": { "kms:ResourceAliases": alias } }),
    }),
  ];
}

function allow(
  Action: readonly string[],
  Resource: readonly string[],
  Condition?: PolicyStatement["Condition"],
): PolicyStatement {
  return { Effect: "Allow", Action, Resource, ...(Condition !== undefined && { Condition }) };
}
