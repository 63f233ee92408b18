import { ProviderError } from "../../errors.ts";
import type { ErrorCode } from "../../errors.ts";
import { failureOf } from "../../meaning.ts";

/** A request to S3, for messages. */
export interface Operation {
  /** What it does, as in "Cannot <verb> <target>". */
  readonly verb: string;
  /** The permission that it needs, for instance `s3:PutObject`. */
  readonly permission: string;
  /** What it concerns, for instance `s3://bucket/key`. */
  readonly target: string;
}

/** What is used of an SDK's error. None of its other fields is shown: some hold signatures. */
interface Failure {
  readonly name: string;
  readonly message: string;
  /** The code of the operating system or of TLS, for instance `ECONNRESET`. */
  readonly code: string | undefined;
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

type Meaning = readonly [
  code: ErrorCode,
  problem: string,
  fix: string | ((failure: Failure, operation: Operation) => string),
];

const wrongRegion: Meaning = [
  "CONFIG",
  "the bucket is in another region",
  ({ headers, message }) => {
    const region = headers["x-amz-bucket-region"] ?? /expecting '?"?([a-z0-9-]+)/.exec(message)?.[1];
    return region === undefined
      ? "Set region of the destination to the bucket's: aws s3api get-bucket-location --bucket NAME tells it."
      : `Set region of the destination to ${region}.`;
  },
];

const accessDenied: Meaning = [
  "AUTH",
  "access is denied",
  (_failure, { permission, target }) =>
    `Allow ${permission} on ${target} to the credentials in use: in their policy, in the bucket's and, if it is ` +
    "encrypted with a key of yours, kms:GenerateDataKey and kms:Decrypt in the key's. A bucket that does not exist, or an object " +
    "that does not exist where s3:ListBucket is not allowed, gives the same answer.",
];

const wrongCredentials: Meaning = [
  "AUTH",
  "the credentials are not valid",
  "Check accessKeyId and secretAccessKey of the destination, or, without them, the AWS credentials of the runner: " +
    "do they belong together, to this endpoint, and are they still active?",
];

const expiredCredentials: Meaning = [
  "AUTH",
  "the credentials have expired",
  "Renew them. A run that is longer than a session's credentials needs a role (of the task, or of the machine) that renews them.",
];

const slowDown: Meaning = ["RATE_LIMITED", "the service asks to slow down", "Try again later."];

const serviceFault: Meaning = ["TRANSIENT", "the service has a fault", "Try again; see the service's status page."];

const damaged: Meaning = [
  "INTEGRITY",
  "the bytes that arrived are not those that were sent",
  "Something between here and the store changes bytes: a proxy, a virus scanner, bad memory. Nothing was stored.",
];

const kmsKey: Meaning = [
  "CONFIG",
  "the encryption key cannot be used",
  "Check sse.kmsKeyId of the destination: the key must exist in the bucket's region, be enabled, and allow " +
    "kms:GenerateDataKey and kms:Decrypt to the credentials in use.",
];

const storeFull: Meaning = ["QUOTA", "the store is full", "Raise the quota, or keep fewer backups."];

/** What the name of an error means: those that S3 and its compatibles send, and those of the SDK itself. */
const byName: Readonly<Record<string, Meaning>> = {
  NoSuchKey: ["NOT_FOUND", "there is no such object", "List the objects to see which there are."],
  NotFound: ["NOT_FOUND", "there is no such object", "List the objects to see which there are."],
  NoSuchVersion: ["NOT_FOUND", "there is no such version", "List the versions to see which there are."],
  NoSuchUpload: ["NOT_FOUND", "the upload is gone", "Check whether a prune, or a lifecycle rule, ended it."],
  NoSuchBucket: [
    "CONFIG",
    "there is no such bucket",
    "Create the bucket, or set bucket, region and endpoint of the destination to where it is.",
  ],
  InvalidBucketName: ["CONFIG", "the bucket's name is not valid", "Correct bucket of the destination."],
  AccessDenied: accessDenied,
  Forbidden: accessDenied,
  AllAccessDisabled: accessDenied,
  InvalidAccessKeyId: wrongCredentials,
  XAdminUserNotFound: wrongCredentials,
  SignatureDoesNotMatch: wrongCredentials,
  InvalidToken: wrongCredentials,
  UnrecognizedClientException: wrongCredentials,
  ExpiredToken: expiredCredentials,
  ExpiredTokenException: expiredCredentials,
  TokenRefreshRequired: expiredCredentials,
  CredentialsProviderError: [
    "AUTH",
    "there are no credentials",
    "Set accessKeyId and secretAccessKey of the destination, or give the runner AWS credentials: a role, a profile, or " +
      "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its environment.",
  ],
  RequestTimeTooSkewed: [
    "CONFIG",
    "this machine's clock is wrong",
    "Set the clock, and keep it set: timedatectl set-ntp true. Requests are refused beyond 15 minutes, and backups are named by time.",
  ],
  PermanentRedirect: wrongRegion,
  AuthorizationHeaderMalformed: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  PreconditionFailed: ["CONFLICT", "the object exists already", "Use another key, or remove the object first."],
  ConditionalRequestConflict: ["TRANSIENT", "another upload of the same object is going on", "Try again."],
  OperationAborted: ["TRANSIENT", "another request for the same thing is going on", "Try again."],
  SlowDown: slowDown,
  SlowDownRead: slowDown,
  SlowDownWrite: slowDown,
  Throttling: slowDown,
  ThrottlingException: slowDown,
  TooManyRequests: slowDown,
  RequestLimitExceeded: slowDown,
  "KMS.ThrottlingException": slowDown,
  ServiceUnavailable: slowDown,
  InternalError: serviceFault,
  RequestTimeout: serviceFault,
  BadDigest: damaged,
  InvalidDigest: damaged,
  XAmzContentSHA256Mismatch: damaged,
  XAmzContentChecksumMismatch: damaged,
  IncompleteBody: [
    "TRANSIENT",
    "not all bytes arrived",
    "Check the network between here and the store, and try again.",
  ],
  QuotaExceeded: storeFull,
  StorageFull: storeFull,
  XMinioStorageFull: storeFull,
  XMinioAdminBucketQuotaExceeded: storeFull,
  InsufficientCapacity: storeFull,
  EntityTooLarge: [
    "QUOTA",
    "the object is larger than the store takes",
    "Back up less into one object, or use a store that takes larger ones.",
  ],
  InvalidStorageClass: [
    "CONFIG",
    "the store does not have this storage class",
    "Correct storageClass of the destination.",
  ],
  InvalidObjectState: [
    "CONFIG",
    "the object is archived and cannot be read at once",
    "Restore it first (aws s3api restore-object), and keep lifecycle rules from archiving what retention still counts on.",
  ],
  InvalidObjectLockRetainUntilDate: ["CONFIG", "the lock's end is refused", "Correct objectLock.days, or the clock."],
  ObjectLockConfigurationNotFoundError: noLock(),
  NotImplemented: [
    "CONFIG",
    "the store does not do this",
    "Leave out what it does not have: sse, objectLock, storageClass or removeVersions of the destination.",
  ],
};

function noLock(): Meaning {
  return [
    "CONFIG",
    "the bucket has no Object Lock",
    "Remove objectLock of the destination, or use a bucket with Object Lock: it is turned on when the bucket is created.",
  ];
}

const unreachable: Meaning = [
  "TRANSIENT",
  "the service cannot be reached",
  "Check endpoint and region of the destination, and the network: name resolution, routes, firewall.",
];

const interrupted: Meaning = [
  "TRANSIENT",
  "the connection broke",
  "Check the network between here and the store, and try again.",
];

/** What the code of a system call means. */
const bySystemCode: Readonly<Record<string, Meaning>> = {
  ENOTFOUND: unreachable,
  EAI_AGAIN: unreachable,
  ECONNREFUSED: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ETIMEDOUT: unreachable,
  ECONNRESET: interrupted,
  ECONNABORTED: interrupted,
  EPIPE: interrupted,
};

/** What a status means where the answer had no body to tell, as those to HEAD have none. */
const byStatus: Readonly<Record<number, Meaning>> = {
  301: wrongRegion,
  403: accessDenied,
  404: ["NOT_FOUND", "there is no such object", "List the objects to see which there are."],
  408: serviceFault,
  409: ["CONFLICT", "something else is in the way", "Check what is stored there, and use another prefix."],
  412: ["CONFLICT", "the object exists already", "Use another key, or remove the object first."],
  429: slowDown,
  503: slowDown,
  507: storeFull,
};

/** The `ProviderError` for a failed request: `Cannot <verb> <target>: <what it means> (<what the service said>).` */
export function fromS3(error: unknown, operation: Operation): ProviderError {
  if (error instanceof ProviderError) return error;
  const failure = factsOf(error);
  const [code, problem, fix] = meaningOf(failure);
  const said = [failure.name, failure.status === undefined ? undefined : `status ${failure.status}`, failure.message]
    .filter(
      (part) => part !== undefined && part !== "" && part !== "UnknownError" && part !== "Error" && part !== "Unknown",
    )
    .join(", ")
    .replace(/\.$/, "");
  const { verb, target } = operation;
  return failureOf(
    `${verb} ${target}`,
    [code, problem, typeof fix === "string" ? fix : fix(failure, operation)],
    said,
    {
      // Not the SDK's own error: its fields hold signatures.
      cause: Object.assign(new Error(failure.message), { name: failure.name }),
      waits: [failure.headers["retry-after"]],
    },
  );
}

/** Whether the error tells nothing but a status: the same request by another method tells more. */
export function isBare(error: unknown): boolean {
  const { name, status } = factsOf(error);
  // That there are too many requests needs no other one.
  if (status === undefined || status === 429 || status >= 500) return false;
  return name === "Unknown" || name === "UnknownError" || /^\d+$/.test(name);
}

function factsOf(error: unknown): Failure {
  if (!(error instanceof Error)) {
    return { name: "", message: String(error), code: undefined, status: undefined, headers: {} };
  }
  const { code, $metadata, $response } = error as {
    code?: unknown;
    $metadata?: { httpStatusCode?: number };
    $response?: { statusCode?: number; headers?: Record<string, string> };
  };
  return {
    name: error.name,
    message: error.message,
    code: typeof code === "string" ? code : undefined,
    status: $metadata?.httpStatusCode ?? $response?.statusCode,
    headers: $response?.headers ?? {},
  };
}

function meaningOf(failure: Failure): Meaning {
  const { name, message, code, status } = failure;
  if (name === "InvalidRequest" && /object ?lock/i.test(message)) return noLock();
  if (name === "AccessDenied" && /kms|key policy/i.test(message)) return kmsKey;
  const named = byName[name];
  if (named !== undefined) return named;
  if (name.startsWith("KMS.")) return kmsKey;
  if (code !== undefined) {
    const system = bySystemCode[code];
    if (system !== undefined) return system;
    if (/^(CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)) {
      return [
        "CONFIG",
        "the service's certificate is not trusted",
        "Check endpoint of the destination. For a certificate of your own, point NODE_EXTRA_CA_CERTS at its authority's.",
      ];
    }
  }
  if (name === "TimeoutError" || /socket hang up|aborted|premature/i.test(message)) return interrupted;
  if (message === "Region is missing") {
    return ["CONFIG", "no region is set", "Set region of the destination, or AWS_REGION in the runner's environment."];
  }
  if (status !== undefined) {
    const meaning = byStatus[status];
    if (meaning !== undefined) return meaning;
    if (status >= 500) return serviceFault;
    if (status >= 400) return ["CONFIG", "the store refuses the request", "Check the destination's configuration."];
    // A success whose body could not be read to its end.
    return interrupted;
  }
  return ["INTERNAL", "something unexpected happened", "Read the message; if it does not help, report it."];
}
