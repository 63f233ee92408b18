import { ObjectLockedError, ProviderError } from "../../errors.ts";
import { reportRemaining } from "../../transfer/remaining.ts";
import { fromS3 } from "./errors.ts";
import type { ObjectVersion } from "./listing.ts";
import type { S3Service } from "./service.ts";

/** Objects that one request may remove. */
const BATCH = 1000;

/** Removes objects, or versions of them. All are tried; one error names what stayed, since S3 answers with 200 even then. */
export async function removeAll(
  service: S3Service,
  doomed: readonly ObjectVersion[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const failures = new Map<string, ProviderError>();
  for (let start = 0; start < doomed.length; start += BATCH) {
    for (const { key, error } of await removeBatch(service, doomed.slice(start, start + BATCH), signal)) {
      if (!failures.has(key)) failures.set(key, error);
    }
  }
  reportRemaining(failures, doomed.length);
}

async function removeBatch(service: S3Service, doomed: readonly ObjectVersion[], signal: AbortSignal | undefined) {
  const { bucket } = service;
  const failures: { key: string; error: ProviderError }[] = [];
  let left = doomed;
  const operation = {
    verb: "remove objects of",
    permission: doomed.some(({ version }) => version !== undefined) ? "s3:DeleteObjectVersion" : "s3:DeleteObject",
    target: `s3://${bucket}`,
  };
  const removeLeft = () =>
    service.request(
      operation,
      async (s3, { abortSignal }) => {
        const Objects = left.map(({ key, version }) => ({
          Key: key,
          ...(version !== undefined && { VersionId: version }),
        }));
        // Not quiet: what the answer names as removed is; anything else is checked. An answer of 200 may be a proxy's.
        const { Deleted = [], Errors = [] } = await s3.deleteObjects(
          { Bucket: bucket, Delete: { Objects }, ChecksumAlgorithm: "CRC32" },
          { abortSignal },
        );
        const told = new Set([...Deleted, ...Errors].map(({ Key = "", VersionId }) => nameOf(Key, VersionId)));
        const again: ObjectVersion[] = [];
        for (const one of left) {
          if (!told.has(nameOf(one.key, one.version)) && (await exists(service, one, abortSignal))) again.push(one);
        }
        let passing = again.length === 0 ? undefined : silent(again.length, operation.target);
        for (const { Key: key = "", VersionId: version, Code = "", Message = "" } of Errors) {
          const error = failureOf(Code, Message, { ...operation, verb: "remove", target: `s3://${bucket}/${key}` });
          if (error.code === "TRANSIENT" || error.code === "RATE_LIMITED") {
            passing = error;
            again.push({ key, version });
          } else if (error.code !== "NOT_FOUND") {
            failures.push({ key, error });
          }
        }
        left = again;
        if (passing !== undefined) throw passing;
      },
      { signal },
    );
  try {
    await removeLeft();
  } catch (error) {
    if (!(error instanceof ProviderError) || !(error.code === "TRANSIENT" || error.code === "RATE_LIMITED"))
      throw error;
    failures.push(...left.map(({ key }) => ({ key, error })));
  }
  return failures;
}

function nameOf(key: string, version: string | undefined): string {
  return JSON.stringify([key, version]);
}

async function exists(service: S3Service, { key, version }: ObjectVersion, signal: AbortSignal): Promise<boolean> {
  const target = { Bucket: service.bucket, Key: key, ...(version !== undefined && { VersionId: version }) };
  const operation = { verb: "check", permission: "s3:GetObject", target: `s3://${service.bucket}/${key}` };
  try {
    await service.once(operation, (s3, { abortSignal }) => s3.headObject(target, { abortSignal }), { signal }, 1);
    return true;
  } catch (error) {
    if (error instanceof ProviderError && error.code === "NOT_FOUND") return false;
    throw error;
  }
}

function silent(count: number, bucket: string): ProviderError {
  return new ProviderError(
    "TRANSIENT",
    `Cannot remove objects of ${bucket}: ${count} of them are still there, and the answer does not say why.`,
    {
      fix: "Check whether a proxy answers in place of the store, and try again.",
    },
  );
}

function failureOf(name: string, message: string, operation: Parameters<typeof fromS3>[1]): ProviderError {
  if (name === "AccessDenied" && /object ?lock/i.test(message)) {
    return new ObjectLockedError(`Cannot ${operation.verb} ${operation.target}: Object Lock protects it (${message}).`);
  }
  return fromS3(Object.assign(new Error(message), { name }), operation);
}
