import { ProviderError } from "../errors.ts";
import type { SupabaseClient } from "./client.ts";
import type { CallOptions } from "../http/service-client.ts";

/** The type that all our objects have: the service's own default is text, and a bucket may take some types only. */
export const CONTENT_TYPE = "application/octet-stream";

/** A size that objects cannot exceed, and whose it is, for messages. */
export interface SizeLimit {
  readonly bytes: number;
  readonly of: string;
  readonly fix: string;
}

/** What a bucket takes. */
export interface BucketFacts {
  /** Nothing where the bucket has no limit of its own. */
  readonly sizeLimit: SizeLimit | undefined;
  /** MIME types; nothing where all are taken. */
  readonly types: readonly string[] | undefined;
}

/**
 * Asks what a bucket takes. `CONFIG` where there is no such bucket: a listing of it would be empty, and a removal from it
 * would succeed.
 */
export async function bucketFacts(
  client: SupabaseClient,
  bucket: string,
  signal: AbortSignal | undefined,
): Promise<BucketFacts> {
  const options = { action: `check the bucket ${bucket}`, signal };
  const { file_size_limit: bytes, allowed_mime_types: types } = await client.call(
    (storage) => storage.getBucket(bucket),
    options,
  );
  const sizeLimit = {
    bytes: bytes ?? 0,
    of: `the bucket ${bucket}`,
    fix: "Raise the file size limit of the bucket (Storage > the bucket > Edit); it cannot be more than the project's.",
  };
  return {
    sizeLimit: sizeLimit.bytes > 0 ? sizeLimit : undefined,
    types: (types ?? []).length === 0 ? undefined : types,
  };
}

/** `CONFIG` where the bucket takes only types that are not ours. */
export function checkType(bucket: string, { types }: BucketFacts): void {
  const [family = ""] = CONTENT_TYPE.split("/");
  if (types === undefined || types.some((type) => [CONTENT_TYPE, `${family}/*`, "*/*"].includes(type))) return;
  throw new ProviderError("CONFIG", `The bucket ${bucket} takes ${types.join(", ")} only, and not ${CONTENT_TYPE}.`, {
    fix: `Add ${CONTENT_TYPE} to its allowed MIME types (Storage > the bucket > Edit), or use another bucket.`,
  });
}

/** `QUOTA` where an object of that many bytes is too large for one of the limits. */
export function checkSize(size: number, limits: readonly (SizeLimit | undefined)[], { action }: CallOptions): void {
  const [lowest] = limits.filter((limit) => limit !== undefined).sort((one, other) => one.bytes - other.bytes);
  if (lowest === undefined || size <= lowest.bytes) return;
  throw new ProviderError("QUOTA", `Cannot ${action}: it is larger than ${lowest.of} takes, ${lowest.bytes} bytes.`, {
    fix: lowest.fix,
  });
}
