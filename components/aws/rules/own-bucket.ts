import type { Problem } from "../../../providers/config.ts";
import { bucketRequest } from "../../../providers/storage/index.ts";
import { complianceProblems } from "../backup-bucket/problems.ts";
import type { AwsSettings } from "../settings.ts";
import type { CheckedJob } from "../../settings/types.ts";

/**
 * What a job's destination asks of the bucket that the stack makes, and that bucket refuses. An existing bucket has rules that
 * are not known here.
 */
export function checkOwnBucket({ bucket }: AwsSettings, { path: root, job }: CheckedJob): Problem[] {
  if (bucket.existing !== undefined) return [];
  return job.destinations.flatMap((destination, index): Problem[] => {
    const request = bucketRequest(destination);
    if (request === undefined) return [];
    const { sse, objectLock, removeVersions } = request;
    const path = `${root}.destinations[${index}]`;
    const remove = (field: string) => `pulumi config rm --path '${path}.${field}'`;
    const problems: Problem[] = [];
    if (sse !== undefined) {
      const asked = typeof sse === "object" ? "with another key" : `with ${sse}`;
      const message = `the stack's bucket refuses every object that is encrypted ${asked}, and encrypts all of them with the stack's key`;
      problems.push({ path: `${path}.sse`, message, fix: `Leave it out: ${remove("sse")}` });
    }
    if (removeVersions && !bucket.removeOnDestroy) {
      const message = "the stack's bucket lets no job remove versions, and its lifecycle ends what prune has hidden";
      problems.push({ path: `${path}.removeVersions`, message, fix: `Leave it out: ${remove("removeVersions")}` });
    }
    if (objectLock !== undefined) problems.push(...checkLock(bucket, objectLock.mode, path));
    return problems;
  });
}

/** A lock of single objects, which a bucket without Object Lock refuses, and which may be one that nobody can take back. */
function checkLock(bucket: AwsSettings["bucket"], mode: "governance" | "compliance", destination: string): Problem[] {
  const path = `${destination}.objectLock`;
  if (bucket.objectLock === "off") {
    const message = "the stack's bucket has no Object Lock (bucket.objectLock is off) and would refuse every upload";
    const fix =
      `Let the bucket have one: pulumi config rm --path 'provision:aws.bucket.objectLock'\n` +
      `Or have no lock: pulumi config rm --path '${path}'`;
    return [{ path, message, fix }];
  }
  return mode === "compliance" ? complianceProblems(bucket, path) : [];
}
