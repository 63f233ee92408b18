import type { S3 } from "@aws-sdk/client-s3";
import type { CallOptions, S3Service } from "./service.ts";

/** An object's key, and one of its versions. */
export interface ObjectVersion {
  readonly key: string;
  readonly version: string | undefined;
}

/** All objects whose key starts with the prefix, in the order of UTF-8 bytes. */
export async function* objects(service: S3Service, prefix: string, signal?: AbortSignal) {
  let token: string | undefined;
  do {
    const page = await ask(service, "objects", "s3:ListBucket", prefix, { signal }, (s3, options) =>
      s3.listObjectsV2({ Bucket: service.bucket, Prefix: prefix, ContinuationToken: token }, options),
    );
    for (const { Key, Size, LastModified } of page.Contents ?? []) {
      if (Key !== undefined) yield { key: Key, size: Size ?? 0, modified: LastModified ?? new Date(0) };
    }
    token = page.NextContinuationToken;
  } while (token !== undefined);
}

/** All versions, delete markers among them, of the objects that lie right in a folder: `a/` or the empty string. */
export async function* versions(service: S3Service, folder: string, signal?: AbortSignal) {
  let marker: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {};
  do {
    const page = await ask(service, "versions", "s3:ListBucketVersions", folder, { signal }, (s3, options) =>
      s3.listObjectVersions({ Bucket: service.bucket, Prefix: folder, Delimiter: "/", ...marker }, options),
    );
    for (const { Key, VersionId } of [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])]) {
      if (Key !== undefined) yield { key: Key, version: VersionId };
    }
    marker =
      page.IsTruncated === true ? { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker } : {};
  } while (marker.KeyMarker !== undefined);
}

/** All uploads under way, or interrupted, whose key starts with the prefix. */
export async function* uploads(service: S3Service, prefix: string, signal?: AbortSignal) {
  let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
  do {
    const page = await ask(service, "uploads", "s3:ListBucketMultipartUploads", prefix, { signal }, (s3, options) =>
      s3.listMultipartUploads({ Bucket: service.bucket, Prefix: prefix, ...marker }, options),
    );
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key !== undefined && UploadId !== undefined) {
        yield { key: Key, uploadId: UploadId, begun: Initiated ?? new Date() };
      }
    }
    marker =
      page.IsTruncated === true ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker } : {};
  } while (marker.KeyMarker !== undefined);
}

function ask<T>(
  service: S3Service,
  what: string,
  permission: string,
  prefix: string,
  options: CallOptions,
  call: (s3: S3, options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const target = `s3://${service.bucket}/${prefix}`;
  return service.request(
    { verb: `list the ${what} of`, permission, target },
    (s3, { abortSignal }) => call(s3, { abortSignal }),
    options,
  );
}
