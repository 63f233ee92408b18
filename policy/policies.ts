import type { Policies } from "@pulumi/policy";
import { bucketEncrypted, bucketLocked, bucketPrivate, bucketVersioned } from "./rules/buckets.ts";
import { noWildcard } from "./rules/iam.ts";
import { backupsDrilled, backupsVerified, lockWithinRetention } from "./rules/jobs.ts";
import { noPlainSecret } from "./rules/plain-secrets.ts";
import { dataProtected } from "./rules/protected.ts";

/** All rules of the pack, by default mandatory. What each is for: docs/guard-rails.md. */
export const policies: Policies = [
  bucketPrivate,
  bucketVersioned,
  bucketEncrypted,
  bucketLocked,
  lockWithinRetention,
  backupsVerified,
  backupsDrilled,
  noPlainSecret,
  noWildcard,
  dataProtected,
];
