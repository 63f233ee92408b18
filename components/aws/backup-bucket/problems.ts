import type { Problem } from "../../../providers/config.ts";
import { transitionsProblem, type StorageTransition } from "./lifecycle.ts";
import type { ObjectLock } from "./lock.ts";

const PATH = "provision:aws.bucket";

/** What only a bucket that the stack makes can have. */
const OF_A_NEW_BUCKET = [
  "objectLock",
  "transitions",
  "accessLogs",
  "replica",
  "breakGlass",
  "protect",
  "removeOnDestroy",
] as const;

/** The settings of a bucket, as far as they can contradict each other. */
type BucketRules = Readonly<Partial<Record<"existing" | "accessLogs" | "replica" | "breakGlass", unknown>>> & {
  readonly objectLock?: ObjectLock | "off";
  readonly transitions?: readonly StorageTransition[];
  readonly protect?: boolean;
  readonly removeOnDestroy?: boolean;
  readonly confirmRemoval?: string;
};

/** What is wrong with the settings of the stack's bucket, for the check of the configuration and for the component alike. */
export function bucketProblems(bucket: BucketRules, stack: string): Problem[] {
  const { existing, objectLock, transitions = [], protect, removeOnDestroy } = bucket;
  if (existing !== undefined) {
    return OF_A_NEW_BUCKET.filter((field) => bucket[field] !== undefined && bucket[field] !== false).map((field) => ({
      path: `${PATH}.${field}`,
      message: `${field} is for a bucket that the stack makes, and this one exists; nothing of it is changed`,
      fix: `Leave out ${field}, or existing: pulumi config rm --path '${PATH}.${field}'`,
    }));
  }
  const problems: Problem[] = [];
  if (typeof objectLock === "object" && objectLock.mode === "compliance") {
    problems.push(...complianceProblems(bucket, `${PATH}.objectLock`));
  }
  if (removeOnDestroy === true && protect === true) {
    problems.push({
      path: `${PATH}.protect`,
      message: "protect refuses the removal that removeOnDestroy asks for",
      fix: `Leave out one of the two: pulumi config rm --path '${PATH}.removeOnDestroy'`,
    });
  }
  if (removeOnDestroy === true && bucket.confirmRemoval !== stack) {
    problems.push({
      path: `${PATH}.confirmRemoval`,
      message: `expected the stack's name, ${stack}, because removeOnDestroy lets \`pulumi destroy\` remove every backup`,
      fix:
        `To remove them: pulumi config set --path '${PATH}.confirmRemoval' ${stack}\n` +
        `To keep them: pulumi config rm --path '${PATH}.removeOnDestroy'`,
    });
  }
  const order = transitionsProblem(transitions);
  return order === undefined ? problems : [...problems, { path: `${PATH}.transitions`, ...order }];
}

/** Why neither the bucket nor a job may lock in compliance mode; none where both may. */
export function complianceProblems({ objectLock, removeOnDestroy }: BucketRules, lockPath: string): Problem[] {
  const path = `${lockPath}.mode`;
  const governance = `pulumi config set --path '${path}' governance`;
  if (removeOnDestroy === true) {
    const message = "nobody can remove a backup with a lock of mode compliance, and removeOnDestroy asks for that";
    return [{ path, message, fix: `Use the other mode: ${governance}` }];
  }
  if (typeof objectLock === "object" && objectLock.confirmCompliance === true) return [];
  const message = "nobody can undo a lock of mode compliance, not even the account's owner; expected a confirmation";
  const fix = `To confirm, write confirmCompliance: true beside days in ${PATH}.objectLock. If not: ${governance}`;
  return [{ path, message, fix }];
}
