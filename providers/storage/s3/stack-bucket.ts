import { ProviderError } from "../../errors.ts";
import type { BucketRequest } from "../storage.ts";

/** What of a configuration matters for the bucket of a stack. */
interface Settings {
  readonly bucket?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly accessKeyId?: object | undefined;
  readonly sse?: string | object | undefined;
  readonly objectLock?: { readonly mode: "governance" | "compliance"; readonly days: number } | undefined;
  readonly removeVersions: boolean;
}

/** What a configuration without a bucket asks of the one that the target `aws` makes; undefined for one with a bucket. */
export function requestOf(config: Settings): BucketRequest | undefined {
  if (config.bucket !== undefined) return undefined;
  const { sse, removeVersions, objectLock } = config;
  const fields = ["endpoint", "region", "accessKeyId"] as const;
  return { meaningless: fields.filter((field) => config[field] !== undefined), sse, removeVersions, objectLock };
}

/** See `StorageDefinition.removedAtOnce`. */
export function removedAtOnce({ objectLock, removeVersions }: Settings): string | undefined {
  if (objectLock === undefined) return undefined;
  if (removeVersions) {
    throw new ProviderError(
      "CONFIG",
      `It was removed, although objectLock asks for a lock of ${objectLock.days} days.`,
      {
        fix: "Use a bucket with Object Lock, with a service that honours it, or remove objectLock of the destination.",
      },
    );
  }
  return `it was hidden; the lock keeps its version for ${objectLock.days} days`;
}
