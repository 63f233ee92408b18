import { Readable } from "node:stream";
import type { PutObjectCommandInput } from "@aws-sdk/client-s3";
import { slices } from "../../http/http.ts";
import type { StallWatchdog } from "../../transfer/watchdog.ts";
import type { S3Service } from "./service.ts";

/** Milliseconds for a request that tidies up after a failure, with its retries. */
export const TIDY_MS = 10_000;

/** How objects are stored: encryption, storage class, lock. */
export type ObjectHeaders = Pick<
  PutObjectCommandInput,
  "ServerSideEncryption" | "SSEKMSKeyId" | "StorageClass" | "ObjectLockMode" | "ObjectLockRetainUntilDate"
>;

/** What is stored, where and how. */
export interface UploadPlan {
  readonly service: S3Service;
  /** The whole key in the bucket. */
  readonly key: string;
  readonly headers: ObjectHeaders;
  /** Estimated size in bytes; 0 where there is none. */
  readonly sizeEstimate: number;
  /** Minimum bytes of a part. */
  readonly partBytes: number;
  /** The service neither honours `If-None-Match` nor keeps checksums: the key is checked once more before a commit. */
  readonly basic: boolean;
  readonly watchdog: StallWatchdog;
  /** Called before a request is made again. */
  readonly retried: (() => void) | undefined;
}

/** The bytes as a stream, which the SDK neither copies nor hashes, and whose progress can be seen. */
export function bodyOf(bytes: Buffer, moved: () => void, watchdog: StallWatchdog): Readable {
  const both = () => {
    moved();
    watchdog.moved();
  };
  return Readable.from(slices(bytes, both), { objectMode: false });
}
