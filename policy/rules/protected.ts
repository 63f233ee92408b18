import type { PolicyResource, StackValidationPolicy } from "@pulumi/policy";
import { backupBuckets, companionOf, holdsIn, KEY, names, ofType, STACKS } from "./stack.ts";

/** No change by mistake replaces a bucket of backups, or the key without which nobody reads them. */
export const dataProtected: StackValidationPolicy = {
  name: "data-protected",
  description:
    "Buckets of backups and their keys have Pulumi's `protect`, in the stacks that `stacks` names (default: prod).",
  configSchema: STACKS,
  validateStack: (args, report) => {
    const { resources } = args;
    const buckets = backupBuckets(resources);
    const encryptions = buckets.map((bucket) =>
      companionOf(bucket, "BucketServerSideEncryptionConfiguration", resources),
    );
    const keys = ofType(resources, KEY).filter((key) => encryptions.some((each) => each && encryptsWith(each, key)));
    for (const { name, type, urn, opts } of [...buckets, ...keys]) {
      if (opts.protect || !holdsIn(args.getConfig(), urn)) continue;
      report(
        `The ${type === KEY ? "key" : "bucket"} ${name} can be removed or replaced by any change. Set the option protect to true (Provision: pulumi config set --path 'provision:aws.bucket.protect' true).`,
        urn,
      );
    }
  },
};

function encryptsWith(encryption: PolicyResource, key: PolicyResource): boolean {
  return names(encryption, "rules", key);
}
